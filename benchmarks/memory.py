"""Peak memory of ``image`` and ``analyze`` against the number of input files.

    python -m benchmarks.memory trigger.onnx [--files 10 100]

Each command runs in a process of its own on as many copies of the real Delphes files in
``tests/data`` as asked for; the kernel tells its peak.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import yaml

DATA = Path(__file__).parents[1] / "tests" / "data"


def _run(arguments: Sequence[str]) -> float:
    command = [sys.executable, "-c", "from darktrigger.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def peak_memory(arguments: Sequence[str]) -> float:
    """Peak resident memory of one darktrigger command, MiB."""
    # The kernel keeps the maximum over all children: each command needs a parent of its own.
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (arguments,))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trigger", help="ONNX file that `darktrigger export` wrote")
    parser.add_argument("--files", type=int, nargs="+", default=[10, 100])
    options = parser.parse_args()
    print(f"{'files':>6} {'image [MiB]':>12} {'analyze [MiB]':>14}")
    for n_files in options.files:
        with tempfile.TemporaryDirectory() as folder:
            copies = {}
            for name in ("qcd", "suep1000"):
                copies[name] = [str(Path(folder, f"{name}_{number}.root")) for number in range(n_files)]
                for copy in copies[name]:
                    Path(copy).symlink_to(DATA / f"{name}.root")
            fileset = Path(folder, "fileset.yaml")
            signal = {"files": copies["suep1000"], "metadata": {"process": "suep", "mass": 1000}}
            fileset.write_text(yaml.safe_dump({"qcd": copies["qcd"], "suep1000": signal}))
            image = peak_memory(["image", *copies["qcd"], "-o", f"{folder}/images.parquet"])
            analysis = ["analyze", str(fileset), "--trigger", options.trigger, "-o", f"{folder}/analysis"]
            print(f"{n_files:6d} {image:12.0f} {peak_memory(analysis):14.0f}", flush=True)


if __name__ == "__main__":
    main()
