"""Delphes ROOT files: ``image``, ``display``, ``analyze`` and ``validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.samples import DATA, Columns, read_columns, write_columns, write_fileset, write_samples

_VALUES = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e38, -1e38, 1e-45, 3.5, 2.49535, np.pi)
_TYPES = (np.float64, np.int32, np.uint8, np.bool_, np.int64, np.uint64)


class RootFiles:
    """Byte mutations of small and of real files, and sound files with wrong content."""

    def prepare(self, valid: Path) -> None:
        """Small files, compressed and not."""
        write_samples(valid)
        write_columns(valid / "plain.root", read_columns("suep1000", 2), compression=None)

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """An image, a display, a validation and an analysis."""
        qcd, suep = str(valid / "qcd.root"), str(valid / "suep1000.root")
        fileset = write_fileset(folder / "fileset.yaml", Path(qcd), Path(suep))
        return [
            ["image", qcd, "-o", str(folder / "images.parquet")],
            ["display", qcd, "-o", str(folder / "event.png")],
            ["validate", qcd, suep, "-o", str(folder / "validation")],
            ["analyze", str(fileset), "--trigger", "excess", "-o", str(folder / "analysis")],
        ]

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file."""
        path = folder / "bad.root"
        if rng.random() < 0.4:
            write_wrong(path, rng)
        else:
            originals = (valid / "plain.root", valid / "suep1000.root", DATA / "svj3100.root")
            original = originals[rng.choice(3, p=[0.5, 0.4, 0.1])]
            path.write_bytes(mutate(original.read_bytes(), rng))
        return command(rng, valid, folder, path)


def command(rng: np.random.Generator, valid: Path, folder: Path, path: Path) -> list[str]:
    """One of the commands that read Delphes files."""
    out = folder / OUT
    which = rng.random()
    if which < 0.6:
        return ["image", str(path), "-o", str(out / "images.parquet")]
    if which < 0.7:
        return ["image", str(path), str(valid / "qcd.root"), "-o", str(out / "images.parquet"), "--skip-bad-files"]
    if which < 0.87:
        return ["display", str(path), "-o", str(out / "event.png")]
    if which < 0.93:
        files = [str(path), str(valid / "qcd.root")]
        return ["validate", *(files if rng.random() < 0.5 else files[::-1]), "-o", str(out)]
    fileset = write_fileset(folder / "fileset.yaml", valid / "qcd.root", path)
    options = ["--skip-bad-files"] if rng.random() < 0.2 else []
    return ["analyze", str(fileset), "--trigger", "excess", "-o", str(out), *options]


def write_wrong(path: Path, rng: np.random.Generator) -> None:
    """A sound file whose content is wrong in one or two ways."""
    columns, tree = read_columns("suep1000", int(rng.integers(1, 3))), "Delphes"
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < 0.05:
            tree = str(rng.choice(["delphes", "Events", "Delphes2"]))
        else:
            _WRONGS[int(rng.integers(len(_WRONGS)))](columns, rng)
    write_columns(path, columns, tree)


def _pick(columns: Columns, rng: np.random.Generator) -> tuple[dict[str, Any], str]:
    """One member of one collection that still has any."""
    filled = [name for name in columns if columns[name]]
    members = columns[filled[int(rng.integers(len(filled)))]]
    return members, list(members)[int(rng.integers(len(members)))]


def _wrong_value(columns: Columns, rng: np.random.Generator) -> None:
    members, name = _pick(columns, rng)
    counts, flat = ak.num(members[name]), np.array(ak.flatten(members[name]), dtype=np.float32)
    if len(flat):
        flat[rng.integers(len(flat), size=int(rng.integers(1, 4)))] = rng.choice(_VALUES)
    members[name] = ak.unflatten(flat, counts)


def _wrong_type(columns: Columns, rng: np.random.Generator) -> None:
    members, name = _pick(columns, rng)
    members[name] = ak.values_astype(members[name], _TYPES[int(rng.integers(len(_TYPES)))])


def _missing_member(columns: Columns, rng: np.random.Generator) -> None:
    members, name = _pick(columns, rng)
    if sum(map(len, columns.values())) > 1:
        del members[name]


def _missing_collection(columns: Columns, rng: np.random.Generator) -> None:
    if len(columns) > 1:
        del columns[list(columns)[int(rng.integers(len(columns)))]]


def _wrong_length(columns: Columns, rng: np.random.Generator) -> None:
    """A collection whose events have too many or no objects, H_T among them."""
    members = columns[list(columns)[int(rng.integers(len(columns)))]]
    repeats = int(rng.choice([0, 2, 3]))
    for name, values in members.items():
        members[name] = ak.concatenate([values] * repeats, axis=1) if repeats else values[:, :0]


def _no_event(columns: Columns, rng: np.random.Generator) -> None:  # noqa: ARG001
    for members in columns.values():
        for name, values in members.items():
            members[name] = values[:0]


def _flat_member(columns: Columns, rng: np.random.Generator) -> None:
    """A collection without lists: one number an event, which Delphes never writes."""
    collection = list(columns)[int(rng.integers(len(columns)))]
    columns[collection] = {name: values[:, :1] for name, values in columns[collection].items()}


_WRONGS = (_wrong_value, _wrong_value, _wrong_type, _missing_member, _missing_collection, _wrong_length, _no_event,
           _flat_member)  # fmt: skip
