"""The Snakemake workflow gives what ``darktrigger run`` gives."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from darktrigger.chain.config import ChainConfig
from darktrigger.chain.stages import Chain
from darktrigger.config import validate

ROOT = Path(__file__).parents[2]


def snakemake(*arguments: str | int | Path) -> str:
    program = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")
    if program is None:
        pytest.skip("needs snakemake (the extra 'workflow')")
    paths = [str(ROOT), *(path for path in sys.path if "site-packages" in path)]
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PATH": scripts}
    command = [program, "--snakefile", str(ROOT / "workflow" / "Snakefile"), *map(str, arguments)]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
def test_every_stage_is_a_job(tmp_path: Path) -> None:
    said = snakemake("--dry-run", "--cores", 1, "--config", "chain=configs/demo.yaml", f"output={tmp_path}")
    rows = [line.split() for line in said.splitlines()]
    # Beside the table there are lines such as "jobid: 0".
    jobs = dict(row for row in rows if len(row) == 2 and row[1].isdigit() and not row[0].endswith(":"))
    assert jobs == {
        "all": "1", "analyze": "1", "evaluate": "1", "export": "1", "fileset": "1", "generate": "3", "image": "3",
        "train": "1", "total": "12",
    }  # fmt: skip


@pytest.mark.slow
def test_the_graph_gives_what_the_chain_gives(data: Path, tmp_path: Path) -> None:
    config = {
        "output": str(tmp_path / "graph"),
        "fileset": {
            "qcd": [str(data / "qcd.root")],
            "suep": {"files": [str(data / "suep1000.root")], "metadata": {"process": "suep", "mass": 1000}},
        },
        "model": {"family": "excess"},
        "displays": 0,
    }
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(config))
    snakemake("--cores", 1, "--config", f"chain={tmp_path / 'chain.yaml'}")
    Chain(validate(ChainConfig, config | {"output": str(tmp_path / "run")}, "test"), tmp_path, print).run()
    graph, chain = (
        json.loads((tmp_path / name / "analysis" / "summary.json").read_text()) for name in ("graph", "run")
    )
    assert graph["signals"] == chain["signals"]
    assert graph["datasets"] == chain["datasets"]
    written = [(tmp_path / name / "analysis" / "histograms.json").read_bytes() for name in ("graph", "run")]
    assert written[0] == written[1]
