"""Time of each module of the embedded detector, per event on one core, beside real Delphes where it is installed.

For instance: python benchmarks/detector.py events.hepmc.gz pool.hepmc.gz --pileup 50
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from generation.delphes_binary import find_delphes, run_delphes, write_hepmc, write_pileup_file
from generation.delphes_file import DelphesWriter
from generation.detector import load_card, simulate
from generation.events import GenEvents, concatenate_events
from generation.hepmc import read_hepmc
from generation.pileup import load_pool


def read(path: Path) -> GenEvents:
    """All events of a HepMC file."""
    return concatenate_events(list(read_hepmc(path)))


def main() -> None:
    """Print a table of CPU milliseconds per event."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path, help="hard events, HepMC")
    parser.add_argument("pool", type=Path, help="minimum-bias events, HepMC or .npz")
    parser.add_argument("--pileup", type=float, default=50.0, help="mean number of pile-up interactions (default: 50)")
    parser.add_argument("--card", default="cms")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    events, card = read(options.events), load_card(options.card)
    pool = load_pool(options.pool) if options.pool.suffix == ".npz" else read(options.pool)
    seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        seconds[name] += time.process_time() - start

    rng = np.random.default_rng(1)
    simulate(events[:2], pool, options.pileup, card, rng)  # compiles
    with TemporaryDirectory() as folder:
        with DelphesWriter(Path(folder) / "embedded.root") as writer:
            for _ in range(options.repeat):
                result = simulate(events, pool, options.pileup, card, rng, stage)
                with stage("write ROOT"):
                    writer.write(result)
        per_event = {name: 1e3 * value / (options.repeat * len(events)) for name, value in seconds.items()}
        for name, value in (per_event | {"total": sum(per_event.values())}).items():
            print(f"{name:12s} {value:8.3f} ms/event")
        if find_delphes() is None:
            print("real Delphes is not installed")
            return
        write_hepmc(events, Path(folder) / "events.hepmc")
        write_pileup_file(pool, Path(folder) / "pool.pileup")
        start = time.perf_counter()
        run_delphes(
            Path(folder) / "events.hepmc",
            Path(folder) / "delphes.root",
            card,
            seed=1,
            mean_pileup=options.pileup,
            pileup_file=Path(folder) / "pool.pileup",
        )
        print(f"{'real Delphes':12s} {1e3 * (time.perf_counter() - start) / len(events):8.3f} ms/event, start included")


if __name__ == "__main__":
    main()
