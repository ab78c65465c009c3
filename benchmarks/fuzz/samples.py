"""Small valid inputs, cut from the real Delphes files of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import awkward as ak
import uproot
import yaml

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample

DATA = Path(__file__).parents[2] / "tests" / "data"

#: The collections that our commands read, and what they read of them.
MEMBERS: dict[str, tuple[str, ...]] = {
    "Event": ("Number", "Weight", "CrossSection"),
    "Track": ("PT", "Eta", "EtaOuter", "PhiOuter"),
    "Track_PUcorr": ("PT", "EtaOuter", "PhiOuter"),
    "ecalTower": ("ET", "Eta", "Phi"),
    "hcalTower": ("ET", "Eta", "Phi"),
    "MissingET": ("MET", "Eta", "Phi"),
    "ScalarHT": ("HT",),
}

#: An evaluation that costs little.
QUICK = {"dominance": {"subsets": 2, "subset_events": 4, "bootstraps": 10}, "examples": 1}

SAMPLES = {"qcd": 0.0, "suep1000": 1000.0}

Columns = dict[str, dict[str, Any]]


def read_columns(sample: str, n_events: int) -> Columns:
    """The first events of a sample: collection, member, jagged values."""
    return {name: dict(members) for name, members in _columns(sample, n_events).items()}


@lru_cache
def _columns(sample: str, n_events: int) -> Columns:
    with uproot.open(DATA / f"{sample}.root") as file:
        tree: Any = file["Delphes"]
        return {
            collection: {
                member: tree[f"{collection}.{member}"].array(entry_stop=n_events)
                for member in members
                if f"{collection}.{member}" in tree
            }
            for collection, members in MEMBERS.items()
        }


def write_columns(path: Path, columns: Mapping[str, Mapping[str, Any]], tree: str = "Delphes", **options: Any) -> None:
    """Write a tree in Delphes' layout; columns need not have the same length."""
    names = {"counter_name": lambda name: f"{name}_size", "field_name": lambda outer, inner: f"{outer}.{inner}"}
    rows = {name: ak.zip(dict(members), depth_limit=2) for name, members in columns.items() if members}
    with uproot.recreate(path, **options) as file:
        file.mktree(tree, {name: array.type.content for name, array in rows.items()}, **names)
        file[tree].extend(rows)


def write_samples(folder: Path, n_events: int = 3) -> None:
    """``qcd.root``, ``suep1000.root``, images of both, and ``quick.yaml`` for evaluate."""
    for sample, mass in SAMPLES.items():
        write_columns(folder / f"{sample}.root", read_columns(sample, n_events))
        convert(
            [str(folder / f"{sample}.root")],
            folder / f"{sample}.parquet",
            Sample(process=sample.rstrip("0123456789"), mass=mass),
            ImagingConfig(),
        )
    (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))


def write_fileset(path: Path, background: Path, signal: Path) -> Path:
    """A fileset of one background and one signal file."""
    fileset = {
        "qcd": [str(background)],
        "suep1000": {"files": [str(signal)], "metadata": {"process": "suep", "mass": 1000.0}},
    }
    path.write_text(yaml.safe_dump(fileset))
    return path
