"""Throughput of one worker against two, and of dask on one machine against futures.

    python -m benchmarks.scaling [--events 20000] [--files 1] [--stages generate image analyze] [--repeats 5]

Runs ``darktrigger generate``, ``image`` and ``analyze`` (with the pretrained trigger) on generated files that are
large enough for the start of the processes not to matter, and reads what their reports say of the phase that the
workers share: the wall-clock time between the first task and the last. Each repeat runs one worker, two, and dask
in turn, so that all three meet the machine's slow minutes; what is printed are medians over the repeats, and the
range of the ratio. Give it a quiet machine. Where that has fewer cores than workers, ``--share`` makes slow ones
(:mod:`benchmarks.slow_cores`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from analysis.binned import FloatArray
from benchmarks.slow_cores import run_on_slow_cores
from generation.delphes_file import DelphesWriter
from generation.delphes_read import read_delphes

DATA = Path(__file__).parents[1] / "tests" / "data"

#: Collections that images need.
COLLECTIONS = ("Event", "Track_PUcorr", "ecalTower", "hcalTower", "ScalarHT")

#: Phase of each stage that its workers share.
PHASES = {"generate": "batches", "image": "image", "analyze": "process"}


def enlarge(name: str, path: Path, n_events: int) -> None:
    """A Delphes file of at least ``n_events``: the real one in ``tests/data``, over and over."""
    events = read_delphes(DATA / f"{name}.root", COLLECTIONS)
    with DelphesWriter(path) as writer:
        for _ in range(-(-n_events // len(events))):
            writer.write(events)


def copy(path: Path, n_files: int) -> None:
    """So many files like it, numbered, in its place."""
    content = path.read_bytes()
    for number in range(n_files):
        # A byte after the end, which no reader looks at, tells each from the others.
        path.with_stem(f"{path.stem}_{number}").write_bytes(content + bytes([number]))
    path.unlink()


def files_of(stage: str, n_files: int) -> dict[str, int]:
    """Delphes files of each sample: twice as many for ``image``, which takes less time for an event."""
    return {"qcd": 2 * n_files} if stage == "image" else {"qcd": -(-n_files // 2), "suep1000": -(-n_files // 2)}


def command(stage: str, folder: Path, n_events: int, n_files: int) -> list[str]:
    """Arguments of darktrigger, the executor's apart."""
    if stage == "generate":
        settings = ["-n", str(n_events * n_files // 40), "--config", str(folder / "generation.yaml")]
        return ["generate", "suep", *settings, "-o", str(folder / "suep.root"), "--detector", "embedded"]
    if stage == "image":
        return ["image", str(folder / "qcd_*.root"), "-o", str(folder / "qcd.parquet")]
    chunk = ["--chunk-size", str(max(1, n_events // 32))]
    return ["analyze", str(folder / "fileset.yaml"), "--trigger", "excess", "-o", str(folder / "analysis"), *chunk]


def report_of(stage: str, folder: Path) -> Path:
    """Where a stage's report lies."""
    return {
        "generate": folder / "suep.root.report.json",
        "image": folder / "qcd.parquet.report.json",
        "analyze": folder / "analysis" / "report.json",
    }[stage]


def throughput(arguments: Sequence[str], folder: Path, share: float | None) -> float:
    """Events a second of a stage, on slow cores where a share is given."""
    stage = arguments[0]
    program = [sys.executable, "-c", "from darktrigger.cli import main; main()", *arguments]
    if share is None:
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    else:
        run_on_slow_cores(program, share)
    report = json.loads(report_of(stage, folder).read_text())
    return float(report["events"] / report["phases"][PHASES[stage]])


def row(stage: str, runs: FloatArray) -> str:
    """Line of the table; ``runs`` is (repeats, 3): events a second of one worker, of two, and of dask."""
    one, two, dask = np.median(runs, axis=0)
    ratios, overheads = runs[:, 1] / runs[:, 0], runs[:, 1] / runs[:, 2] - 1
    ratio = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
    overhead = f"{np.median(overheads):.1%} ({overheads.min():.1%} to {overheads.max():.1%})"
    return f"| {stage} | {one:.0f} | {two:.0f} | {ratio} | {dask:.0f} | {overhead} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="events of a file; generate makes a fortieth of all")
    parser.add_argument(
        "--files", type=int, default=1, help="Delphes files of analyze, at most 128; image reads twice as many"
    )
    parser.add_argument("--stages", nargs="+", choices=sorted(PHASES), default=sorted(PHASES))
    parser.add_argument("--workers", type=int, nargs=2, default=[1, 2], metavar=("FEW", "MANY"))
    parser.add_argument("--repeats", type=int, default=1, help="of each measurement")
    parser.add_argument("--share", type=float, help="of one hardware thread that each process may use (default: all)")
    options = parser.parse_args()
    few, many = options.workers
    print(f"| stage | {few} worker, events/s | {many} workers | ratio | dask, {many} workers | overhead of dask |")
    print("|---|---|---|---|---|---|")
    for stage in options.stages:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "generation.yaml").write_text(yaml.safe_dump({"batch_events": max(1, options.events // 320)}))
            if stage != "generate":
                for sample, n_files in files_of(stage, options.files).items():
                    enlarge(sample, folder / f"{sample}.root", options.events)
                    copy(folder / f"{sample}.root", n_files)
            signal = {"files": ["suep1000_*.root"], "metadata": {"process": "suep", "mass": 1000}}
            (folder / "fileset.yaml").write_text(yaml.safe_dump({"qcd": ["qcd_*.root"], "suep1000": signal}))
            work = command(stage, folder, options.events, options.files)
            runs = [
                [
                    throughput([*work, "--executor", kind, "--workers", str(workers)], folder, options.share)
                    for kind, workers in (("futures", few), ("futures", many), ("dask", many))
                ]
                for _ in range(options.repeats)
            ]
        print(row(stage, np.asarray(runs)), flush=True)


if __name__ == "__main__":
    main()
