"""Peak memory of each stage against the number of input files.

    python -m benchmarks.memory trigger.onnx [--files 10 100] [--stages generate image train evaluate analyze]

Each command runs in a process of its own on as many copies of the real Delphes files in ``tests/data`` as asked for, or
of their images; ``generate`` makes as many batches of ten events. The kernel tells its peak.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import yaml

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample

# Few imports, and so not those of benchmarks.fault_stages: a command's peak is at least what its parent has then.
DATA = Path(__file__).parents[1] / "tests" / "data"
SAMPLES = {"qcd": Sample(process="qcd"), "suep1000": Sample(process="suep", mass=1000.0)}


def _run(arguments: Sequence[str]) -> float:
    command = [sys.executable, "-c", "from darktrigger.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def peak_memory(arguments: Sequence[str]) -> float:
    """Peak resident memory of one darktrigger command, MiB."""
    # The kernel keeps the maximum over all children: each command needs a parent of its own.
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (arguments,))


def copies(file: Path, n_files: int) -> list[str]:
    """So many names for a file, beside it."""
    names = [file.with_stem(f"{file.stem}_{number}") for number in range(n_files)]
    for name in names:
        name.symlink_to(file)
    return [str(name) for name in names]


def generate(folder: Path, n_files: int, _: str) -> list[str]:
    """SUEP events without pile-up."""
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"batch_events": 10, "detector": {"program": "embedded"}}))
    more = ["--pileup", "0", "--config", str(settings), "-o", f"{folder}/suep.root"]
    return ["generate", "suep", "-n", str(10 * n_files), *more]


def delphes_files(folder: Path, n_files: int) -> dict[str, list[str]]:
    """Real ones."""
    for name in SAMPLES:
        (folder / f"{name}.root").symlink_to(DATA / f"{name}.root")
    return {name: copies(folder / f"{name}.root", n_files) for name in SAMPLES}


def image_files(folder: Path, n_files: int) -> dict[str, list[str]]:
    """Those of the real ones."""
    for name, sample in SAMPLES.items():
        convert([str(DATA / f"{name}.root")], folder / f"{name}.parquet", sample, ImagingConfig())
    return {name: copies(folder / f"{name}.parquet", n_files) for name in SAMPLES}


def image(folder: Path, n_files: int, _: str) -> list[str]:
    """Images of QCD."""
    return ["image", *delphes_files(folder, n_files)["qcd"], "-o", f"{folder}/images.parquet"]


def train(folder: Path, n_files: int, _: str) -> list[str]:
    """The density of counts, whose images stay in memory, sparse."""
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"training": {"epochs": 1, "batch_size": 16}}))
    files = image_files(folder, n_files)["qcd"]
    return ["train", "excess", *files, "-o", f"{folder}/run", "--config", str(settings)]


def evaluate(folder: Path, n_files: int, trigger: str) -> list[str]:
    """QCD and a signal."""
    files = image_files(folder, n_files)
    return ["evaluate", trigger, *files["qcd"], *files["suep1000"], "-o", f"{folder}/evaluation"]


def analyze(folder: Path, n_files: int, trigger: str) -> list[str]:
    """The same from Delphes files."""
    files = delphes_files(folder, n_files)
    signal = {"files": files["suep1000"], "metadata": {"process": "suep", "mass": 1000}}
    (folder / "fileset.yaml").write_text(yaml.safe_dump({"qcd": files["qcd"], "suep1000": signal}))
    return ["analyze", str(folder / "fileset.yaml"), "--trigger", trigger, "-o", f"{folder}/analysis"]


STAGES: dict[str, Callable[[Path, int, str], list[str]]] = {
    stage.__name__: stage for stage in (generate, image, train, evaluate, analyze)
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trigger", help="ONNX file that `darktrigger export` wrote")
    parser.add_argument("--files", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    options = parser.parse_args()
    print("| stage | " + " | ".join(f"{n_files} files, MiB" for n_files in options.files) + " |")
    print("|---" * (1 + len(options.files)) + "|")
    for name in options.stages:
        peaks = []
        for n_files in options.files:
            with tempfile.TemporaryDirectory() as folder:
                peaks.append(peak_memory(STAGES[name](Path(folder), n_files, options.trigger)))
        print(f"| {name} | " + " | ".join(f"{peak:.0f}" for peak in peaks) + " |", flush=True)


if __name__ == "__main__":
    main()
