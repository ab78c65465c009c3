"""Time ROOT file to image file, beside reading alone and beside a per-event histogram loop.

    python -m benchmarks.imaging [--events 5000] [FILE.root]

Writes a file of as many events as asked for by repeating real Delphes events, then times,
in one run, the median of several rounds each, with the memory settings of the command line:

(a) reading the same branches with uproot and doing nothing with them,
(b) ROOT file to image file with ``imaging.convert``,
(c) the usual generator script: a loop over events that fills three ``numpy.histogram2d``
    each, spreads the HCAL over fine pixels, stacks the dense channels and saves them as
    compressed npz; timed on fewer events, its filling also by itself.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from darktrigger.memory import keep_freed_memory
from imaging.branches import BranchMap, BranchOverride, find_branches
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.delphes_file import open_delphes
from imaging.grid import BLOCK, ETA_PADDING, FINE, HCAL
from imaging.sample import Sample

ROUNDS = 5
LOOP_EVENTS = 100


def repeat_events(source: str, output: Path, n_events: int) -> BranchMap:
    """Write ``n_events`` by repeating those of a real file; returns the branches that imaging uses."""
    with open_delphes(source) as events:
        branches = find_branches(events.keys(full_paths=False), BranchOverride(), source)
        arrays = events.arrays(branches.names(), library="ak", how=dict)
    chunk = 1000
    index = np.arange(n_events) % len(arrays[branches.ht])
    members: dict[str, list[str]] = {}
    for name in branches.names():
        collection, member = name.split(".")
        members.setdefault(collection, []).append(member)

    def jagged(start: int) -> dict[str, ak.Array]:
        rows = index[start : start + chunk]
        return {
            collection: ak.zip({member: arrays[f"{collection}.{member}"][rows] for member in names})
            for collection, names in members.items()
        }

    with uproot.recreate(output, compression=uproot.ZLIB(1)) as file:
        first = jagged(0)
        file.mktree(
            "Delphes",
            {name: array.type.content for name, array in first.items()},
            counter_name=lambda counted: f"{counted}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}",
        )
        for start in range(0, n_events, chunk):
            file["Delphes"].extend(jagged(start))
    return branches


def read_only(path: str, branches: BranchMap, step_size: str) -> None:
    """Read the branches in the same steps and drop them."""
    with open_delphes(path) as events:
        for _ in events.iterate(branches.names(), step_size=step_size, library="ak", how=dict):
            pass


def histogram_loop(path: str, branches: BranchMap, n_events: int, output: Path) -> tuple[float, float]:
    """Seconds an event of dense images made one event at a time: filling alone, and file to file."""
    start = time.perf_counter()
    with open_delphes(path) as events:
        arrays = events.arrays(branches.names(), library="ak", how=dict, entry_stop=n_events)
    assert branches.ecal and branches.hcal  # noqa: S101, PT018 (the file was written with both)
    channels = ((branches.trk, FINE), (branches.ecal, FINE), (branches.hcal, HCAL))
    images, filling = [], 0.0
    for event in range(n_events):
        filled = time.perf_counter()
        trk, ecal, hcal = (
            np.histogram2d(
                ak.to_numpy(arrays[deposits.eta][event]),
                ak.to_numpy(arrays[deposits.phi][event]),
                bins=(grid.eta_edges, grid.phi_edges),
                weights=ak.to_numpy(arrays[deposits.e_t][event]),
            )[0]
            for deposits, grid in channels
        )
        filling += time.perf_counter() - filled
        fine_hcal = np.kron(hcal, np.full((BLOCK, BLOCK), 1 / BLOCK**2))[ETA_PADDING:-ETA_PADDING]
        images.append(np.stack([trk, ecal, fine_hcal], axis=-1).astype(np.float32))
    np.savez_compressed(output, images=np.stack(images))
    return filling / n_events, (time.perf_counter() - start) / n_events


def median_seconds(task: Callable[[], object]) -> float:
    """Median wall time of several rounds, after one that warms the caches."""
    task()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default=str(Path(__file__).parents[1] / "tests/data/qcd.root"))
    parser.add_argument("--events", type=int, default=5000)
    options = parser.parse_args()
    config = ImagingConfig()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "events.root"), Path(folder, "images.parquet")
        branches = repeat_events(options.file, path, options.events)
        reading = median_seconds(lambda: read_only(str(path), branches, config.step_size)) / options.events
        imaging = median_seconds(lambda: convert([str(path)], output, Sample(), config)) / options.events
        filling, script = histogram_loop(
            str(path), branches, min(LOOP_EVENTS, options.events), Path(folder, "dense.npz")
        )
    print(f"{options.events} events, {ROUNDS} rounds, median")
    for name, seconds in (
        ("(a) reading the branches", reading),
        ("(b) ROOT to image file", imaging),
        ("(c) loop, ROOT to npz", script),
        ("    of which filling", filling),
    ):
        print(f"{name:26s} {1 / seconds:10.0f} events/s {1e6 * seconds:10.1f} us/event")
    print(f"(b) / (a)             {imaging / reading:8.2f}")
    print(f"(c) / (b)             {script / imaging:8.0f}")
    print(f"filling of (c) / (b)  {filling / imaging:8.0f}")


if __name__ == "__main__":
    main()
