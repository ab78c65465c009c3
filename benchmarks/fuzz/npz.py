"""The CoDAE paper's files (npz): ``evaluate``."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.samples import write_samples
from benchmarks.fuzz.trap import Trap

_NAMES = ("bad.npz", "bad.npz", "suep_gensim_h1000_phi2.npz", "svj_2100_34484.npz", "qcd_1.npz", "suep_h_.npz",
          f"suep_h{'9' * 60}_.npz", "svj_0_.npz")  # fmt: skip
_VALUES = (np.nan, np.inf, -np.inf, -1.0, 1e38, 1e-45, 0.0)
_TYPES = ("f2", "f8", ">f4", "i4", "u1", "c8", "S4", "U4", "M8[s]", "?")


class PaperFiles:
    """Byte mutations, and archives with wrong arrays, pickles among them."""

    def prepare(self, valid: Path) -> None:
        """A sound file, compressed and not, and images of ours."""
        write_samples(valid, 6)
        arrays = sound_arrays()
        np.savez(valid / "plain.npz", **arrays)
        np.savez_compressed(valid / "packed.npz", **arrays)

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """An evaluation."""
        return [_command(valid / "packed.npz", valid, folder)]

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file."""
        path = folder / str(rng.choice(_NAMES))
        if rng.random() < 0.5:
            original = valid / str(rng.choice(["plain.npz", "packed.npz"]))
            path.write_bytes(mutate(original.read_bytes(), rng))
        else:
            path.write_bytes(_wrong_archive(rng, folder))
        return _command(path, valid, folder / OUT)


def _command(path: Path, valid: Path, out: Path) -> list[str]:
    images = [str(valid / "qcd.parquet"), str(path)]
    return ["evaluate", "excess", *images, "-o", str(out), "--config", str(valid / "quick.yaml")]


def sound_arrays() -> dict[str, Any]:
    """Four events, two of them signal."""
    images = np.random.default_rng(0).exponential(5.0, (4, 72, 58, 3)).astype(np.float32)
    images[images < 15] = 0.0
    return {
        "images": images,
        "labels": np.array([0, 0, 1, 1]),
        "masses": np.array([0, 0, 4, 4]),
        "n_tracks": np.array([80, 90, 200, 300]),
    }


def _wrong_archive(rng: np.random.Generator, folder: Path) -> bytes:
    arrays = sound_arrays()
    for _ in range(int(rng.integers(1, 3))):
        name = list(arrays)[int(rng.integers(len(arrays)))] if rng.random() < 0.7 else "images"
        if name in arrays:
            _WRONGS[int(rng.integers(len(_WRONGS)))](arrays, name, rng, folder)
    stream = io.BytesIO()
    np.savez_compressed(stream, **{key: value for key, value in arrays.items() if not isinstance(value, bytes)})
    with zipfile.ZipFile(stream, "a") as archive:
        for key, value in arrays.items():
            if isinstance(value, bytes):
                archive.writestr(f"{key}.npy", value)
    return stream.getvalue()


def _value(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001
    values = np.zeros(4) if isinstance(arrays[name], bytes) else np.array(arrays[name], dtype=np.float32, ndmin=1)
    places = rng.integers(values.size or 1, size=2)
    if values.size:
        values.flat[places] = rng.choice(_VALUES)
    arrays[name] = values


def _type(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001
    if not isinstance(arrays[name], bytes) and arrays[name].dtype.kind in "fiub":
        arrays[name] = np.nan_to_num(arrays[name]).clip(0, 100).astype("i8").astype(str(rng.choice(_TYPES)))


def _shape(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001
    values = arrays[name]
    if isinstance(values, bytes) or not values.ndim:
        return
    changes = (values[:0], values[:1], values[None], values.T, values.reshape(-1), values[..., :1], values[..., :2],
               np.concatenate([values, values]), np.array(1.0), np.array([]))  # fmt: skip
    arrays[name] = changes[int(rng.integers(len(changes)))]


def _missing(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001
    del arrays[name]


def _pickled(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:
    """An array of objects, or a bare pickle, that writes a file when it is unpickled."""
    trap = Trap(str(folder / "sprung"))
    stream = io.BytesIO()
    if rng.random() < 0.5:
        np.save(stream, np.array([trap], dtype=object), allow_pickle=True)
        arrays[name] = stream.getvalue()
    else:
        arrays[name] = pickle.dumps(trap)


def _header(arrays: dict[str, Any], name: str, rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001
    """An npy header that promises other data, too much of it, or none that numpy knows."""
    shapes = ("(4, 72, 58, 3)", "(4000000000, 72, 58, 3)", "(-1, 72, 58, 3)", "(0, 72, 58, 3)", "4", "()",
              f"({2**62}, 72, 58, 3)", "(4, 72, 58, 3.0)", "(__import__('os'),)", "(" * 200)  # fmt: skip
    types = ("<f4", "|O", "<f16", "V8", "f4,f4", "<q9", "")
    shape, kind = shapes[int(rng.integers(len(shapes)))], types[int(rng.integers(len(types)))]
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    arrays[name] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)


_WRONGS = (_value, _type, _shape, _missing, _pickled, _header)
