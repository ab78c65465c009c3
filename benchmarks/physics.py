"""Generated samples against what the CoDAE and ConvAE papers say of theirs.

Efficiency of HT > 500 GeV, mean number of tracks, mean tracker E_T and AUROC of the number of
tracks, each with its statistical error, the paper's figure and the difference:

    python -m benchmarks.physics qcd0.parquet qcd1.parquet suep125.parquet ...

Image files of events that `darktrigger generate` made; its JSON beside each ROOT file gives the
number of generated events. Events count once each whatever their weights, as in the papers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.evaluation.ranked import ranked, value_edges
from analysis.roc import auroc
from darktrigger.files import read_json
from generation.production import sidecar_of
from imaging.image_file import iterate_image_file, read_metadata

#: A process and its mass in GeV.
Key = tuple[str, float]

_SUEP_MASSES, _SVJ_MASSES = (125, 200, 300, 400, 700, 1000), (2100, 3100, 4100)


def _by_mass(suep: Sequence[float], svj: Sequence[float]) -> dict[Key, float]:
    return {("suep", float(m)): value for m, value in zip(_SUEP_MASSES, suep, strict=True)} | {
        ("svj", float(m)): value for m, value in zip(_SVJ_MASSES, svj, strict=True)
    }


#: Means of the events published with the CoDAE paper's code, all above 500 GeV of HT; AUROC: its table 1, in %;
#: efficiencies: ConvAE paper, section 2.2, in %.
PAPER: dict[str, dict[Key, float]] = {
    "HT > 500 [%]": {("qcd", 0.0): 85.0}
    | {("suep", m): e for m, e in ((125.0, 2.1), (400.0, 10.4), (700.0, 18.4), (1000.0, 22.7))},
    "n_tracks": {("qcd", 0.0): 94.0} | _by_mass((126, 153, 194, 234, 311, 368), (140, 161, 172)),
    "tracker E_T [GeV]": {("qcd", 0.0): 740.0} | _by_mass((625, 641, 707, 781, 826, 920), (714, 1013, 1258)),
    "AUROC n_tracks [%]": _by_mass((78.68, 92.39, 98.31, 99.60, 99.94, 99.93), (82.05, 89.32, 92.92)),
}


class Events(NamedTuple):
    """Selected events of one sample, and how many were generated for them."""

    n_tracks: NDArray[np.float64]
    e_t: NDArray[np.float64]
    generated: int


def read(paths: Sequence[Path]) -> dict[Key, Events]:
    """Samples of image files; those of the same process and mass are joined."""
    samples: dict[Key, Events] = {}
    for path in paths:
        n_tracks, e_t, mass = [], [], 0.0
        for chunk in iterate_image_file(path, 4096):
            n_tracks.append(chunk.n_tracks.astype(np.float64))
            e_t.append(np.asarray(chunk.images.trk.sum(axis=1), dtype=np.float64).ravel())
            mass = float(chunk.mass[0])
        metadata = read_metadata(path)
        sidecars = [read_json(sidecar_of(Path(source.path))) for source in metadata.source_files]
        events = Events(
            np.concatenate(n_tracks),
            np.concatenate(e_t),
            sum(int(sidecar["normalisation"]["generated"]) for sidecar in sidecars),
        )
        key = (metadata.process, mass)
        before = samples.get(key)
        samples[key] = (
            events
            if before is None
            else Events(
                np.concatenate([before.n_tracks, events.n_tracks]),
                np.concatenate([before.e_t, events.e_t]),
                before.generated + events.generated,
            )
        )
    return samples


def compare(signal: NDArray[np.float64], background: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve and its error (DeLong), as ``darktrigger evaluate`` has them, per cent."""
    samples = (signal, background)
    edges = value_edges(samples)
    area = auroc(*(ranked(values, np.ones(len(values)), edges) for values in samples))
    if area is None or area.uncertainty is None:
        raise SystemExit("too few events for an area under the ROC curve")
    return 100 * area.value, 100 * area.uncertainty


def measure(events: Events, background: Events | None) -> dict[str, tuple[float, float]]:
    """Every figure with its statistical error."""
    n = len(events.n_tracks)
    efficiency = n / events.generated
    figures = {
        "HT > 500 [%]": (100 * efficiency, 100 * float(np.sqrt(efficiency * (1 - efficiency) / events.generated))),
        "n_tracks": (float(events.n_tracks.mean()), float(events.n_tracks.std() / np.sqrt(n))),
        "tracker E_T [GeV]": (float(events.e_t.mean()), float(events.e_t.std() / np.sqrt(n))),
    }
    if background is not None:
        figures["AUROC n_tracks [%]"] = compare(events.n_tracks, background.n_tracks)
    return figures


def main() -> None:
    """Print one line a sample and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+", help="image files, QCD among them")
    samples = read(parser.parse_args().images)
    background = samples.get(("qcd", 0.0))
    print(f"{'sample':10s} {'figure':20s} {'ours':>9s} {'error':>7s} {'paper':>8s} {'difference':>10s}")
    for key, events in sorted(samples.items()):
        name = f"{key[0]} {key[1]:g}" if key[1] else key[0]
        for figure, (value, error) in measure(events, background if key[0] != "qcd" else None).items():
            paper = PAPER[figure].get(key)
            beside = "" if paper is None else f" {paper:8.2f} {value / paper - 1:+10.1%}"
            print(f"{name:10s} {figure:20s} {value:9.2f} {error:7.2f}{beside}")


if __name__ == "__main__":
    main()
