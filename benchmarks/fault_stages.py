"""The stages that :mod:`benchmarks.faults` disturbs: what to run, and what must be the same afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import uproot
import yaml

from darktrigger.cache import cache_folder
from generation.delphes_binary import write_hepmc
from generation.events import concatenate_events
from generation.processes.suep import Suep
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample

DATA = Path(__file__).parents[1] / "tests" / "data"
_SAMPLES = {"qcd": Sample(process="qcd"), "suep1000": Sample(process="suep", mass=1000.0)}

#: Of each Delphes file, so many copies under other names.
_COPIES = 6


@dataclass(frozen=True)
class FaultStage:
    """One stage.

    Parameters
    ----------
    name
        The command.
    prepare
        Makes the inputs in a folder.
    command
        Arguments of darktrigger, given that folder.
    content
        What must not depend on faults: plain data that can be compared.
    targets
        What can be killed.
    workers
        Arguments that ask for two workers; empty for a stage that has none.
    """

    name: str
    prepare: Callable[[Path], None]
    command: Callable[[Path], list[str]]
    content: Callable[[Path], Any]
    targets: tuple[str, ...] = ("worker", "main", "scheduler")
    workers: Sequence[str] = ("--executor", "futures", "--workers", "2")

    def leftovers(self, folder: Path) -> Iterator[Path]:
        """Temporary files and parts."""
        yield from folder.rglob(".*.tmp*")
        yield from folder.rglob("*parts")


def _copies(folder: Path) -> None:
    for name in _SAMPLES:
        content = (DATA / f"{name}.root").read_bytes()
        for number in range(_COPIES):
            path = folder / "delphes" / f"{name}_{number}.root"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _images(folder: Path) -> None:
    for name, sample in _SAMPLES.items():
        convert([str(DATA / f"{name}.root")] * _COPIES, folder / f"{name}.parquet", sample, ImagingConfig())


def _fileset(folder: Path) -> None:
    _copies(folder)
    signal = {"files": ["delphes/suep1000_*.root"], "metadata": {"process": "suep", "mass": 1000}}
    (folder / "fileset.yaml").write_text(yaml.safe_dump({"qcd": ["delphes/qcd_*.root"], "suep1000": signal}))


def _generation(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(yaml.safe_dump({"batch_events": 10, "detector": {"program": "embedded"}}))


def _hepmc(folder: Path) -> None:
    _generation(folder)
    batches = Suep().batches(200, 1, 100, cache_folder())
    write_hepmc(concatenate_events([batch.events for batch in batches]), folder / "events.hepmc")


def _chain(folder: Path) -> None:
    _copies(folder)
    config = {
        "output": str(folder / "out"),
        "fileset": {
            "qcd": ["delphes/qcd_*.root"],
            "suep": {"files": ["delphes/suep1000_*.root"], "metadata": {"process": "suep", "mass": 1000}},
        },
        "model": {"family": "excess"},
        "displays": 0,
    }
    (folder / "chain.yaml").write_text(yaml.safe_dump(config))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _root(path: Path) -> dict[str, str]:
    """Hash of every branch."""
    with uproot.open(path) as file:
        branches = file["Delphes"].itervalues(recursive=True)
        found = {branch.name: branch.array() for branch in branches if branch.interpretation is not None}
    return {name: hashlib.sha256(repr(array.tolist()).encode()).hexdigest() for name, array in found.items()}


def _parquet(path: Path) -> list[Any]:
    metadata = json.loads(pq.read_schema(path).metadata[b"darktrigger"])
    numbers = [value for name, value in metadata.items() if name.startswith(("events", "sum_of", "tree"))]
    return [pq.read_table(path).to_pydict(), numbers]


def _analysis(folder: Path) -> list[Any]:
    summary = json.loads((folder / "summary.json").read_text())
    for dataset in summary["datasets"].values():
        dataset["files"] = [Path(file).name for file in dataset["files"]]
    return [_digest(folder / "histograms.json"), summary["datasets"], summary["signals"], summary["working_points"]]


def _evaluation(folder: Path) -> list[Any]:
    record = json.loads((folder / "evaluation.json").read_text())
    return [record[name] for name in ("samples", "auroc", "fpr", "dominance", "reconstruction")]


def _training(folder: Path) -> list[Any]:
    return [(folder / "metrics.csv").read_text(), (folder / "calibration.json").read_text()]


def _whole(folder: Path) -> list[Any]:
    out = folder / "out"
    # The trigger itself names the folder that it was trained in.
    return [*_analysis(out / "analysis"), *_evaluation(out / "evaluation")]


def _generate(folder: Path) -> list[str]:
    more = ["--pileup", "0", "--config", str(folder / "settings.yaml")]
    return ["generate", "suep", "-n", "100", "-o", str(folder / "suep.root"), *more]


def _simulate(folder: Path) -> list[str]:
    more = ["--pileup", "0", "--config", str(folder / "settings.yaml")]
    return ["simulate", str(folder / "events.hepmc"), "-o", str(folder / "mine.root"), *more]


def _both_images(folder: Path) -> list[str]:
    return [str(folder / f"{name}.parquet") for name in _SAMPLES]


def _train(folder: Path) -> list[str]:
    settings = folder / "train.yaml"
    model = {"filters": [8, 8, 8, 8], "z_channels": 8}
    settings.write_text(yaml.safe_dump({"model": model, "training": {"epochs": 3, "batch_size": 16}}))
    return [
        "train",
        "codae",
        str(folder / "qcd.parquet"),
        "-o",
        str(folder / "run"),
        "--resume",
        "--config",
        str(settings),
    ]


STAGES: dict[str, FaultStage] = {
    stage.name: stage
    for stage in (
        FaultStage("generate", _generation, _generate, lambda folder: _root(folder / "suep.root")),
        FaultStage("simulate", _hepmc, _simulate, lambda folder: _root(folder / "mine.root")),
        FaultStage(
            "image",
            _copies,
            lambda folder: ["image", str(folder / "delphes" / "qcd_*.root"), "-o", str(folder / "qcd.parquet")],
            lambda folder: _parquet(folder / "qcd.parquet"),
        ),
        FaultStage("train", _images, _train, lambda folder: _training(folder / "run"), targets=("main",), workers=()),
        FaultStage(
            "evaluate",
            _images,
            lambda folder: ["evaluate", "excess", *_both_images(folder), "-o", str(folder / "out")],
            lambda folder: _evaluation(folder / "out"),
        ),
        FaultStage(
            "analyze",
            _fileset,
            lambda folder: [
                *("analyze", str(folder / "fileset.yaml"), "--trigger", "excess"),
                *("--chunk-size", "20", "-o", str(folder / "out")),
            ],
            lambda folder: _analysis(folder / "out"),
        ),
        FaultStage("run", _chain, lambda folder: ["run", str(folder / "chain.yaml")], _whole),
    )
}
