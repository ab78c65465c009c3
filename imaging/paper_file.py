"""Images in the layout of the CoDAE paper's own files: npz, coarse already, in some the sum of all sub-detectors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from darktrigger.errors import BadValueError, EmptyInputError, UnreadableFileError
from darktrigger.names import shortened
from imaging.dense import hcal_to_coarse
from imaging.grid import BLOCK, ETA_PADDING, FINE, HCAL
from imaging.image_set import COLUMNS, ImageSet
from imaging.sparse import CHANNELS, GRIDS, SparseImages, canonical

SUFFIX = ".npz"

#: What a file of one channel holds: the E_T of tracker, ECAL and HCAL together. (In the files of the paper's
#: supervised training, QCD has 292 lit pixels and 2.2 TeV an event; the sum of the three channels of the others
#: has 288 and 2.3 TeV, their tracker 81 and 0.8 TeV.)
TOTAL = "total"

#: What the files' small numbers in ``masses`` stand for: label and mediator mass, GeV.
MASS_CODES = {1: (1, 125.0), 2: (1, 400.0), 3: (1, 700.0), 4: (1, 1000.0),
              5: (2, 2100.0), 6: (2, 3100.0), 7: (2, 4100.0)}  # fmt: skip

#: Class and mass in a file's name, such as ``suep_gensim_h125_phi2`` or ``svj_2100_34484``.
_NAMES = {0: re.compile(r"^qcd_"), 1: re.compile(r"^suep_(?:.*_)?h(\d+)_"), 2: re.compile(r"^svj_(\d+)_")}

#: Of any number in GeV and of tracks: far beyond the collider, and float32 and uint32 hold it.
_LARGEST = 1e9

_SHAPE = (HCAL.n_phi, HCAL.n_eta)


@dataclass(frozen=True)
class PaperImages:
    """Events of one file.

    Parameters
    ----------
    events
        Weights are 1, H_T (above 500 GeV in all of them) is NaN, ``entry`` counts from 0.
        A coarse pixel of tracker or ECAL lies whole in its central fine pixel, so that the
        coarse images are those of the file; the fine ones mean nothing.
    columns
        What the file tells: its channels, or :data:`TOTAL` alone, which then stands in the
        tracker's place; and ``n_tracks`` where it has them.
    """

    events: ImageSet
    columns: frozenset[str]


def read_paper_file(path: str | Path) -> PaperImages:
    """All events of an npz file with ``images`` (event, phi 72, eta 58, channel), E_T in GeV.

    Three channels are tracker, ECAL and HCAL, one is their sum.

    ``labels`` (0 QCD, 1 SUEP, 2 SVJ) and ``masses`` tell class and mediator mass of each event; without
    them the file's name does. Small masses are the numbers of :data:`MASS_CODES`.

    Raises
    ------
    UnreadableFileError
        Not an npz file of this layout.
    EmptyInputError
        No events.
    BadValueError
        E_T that is negative or not finite, an unknown class or mass, or one that contradicts the name.
    """
    arrays = _arrays(path)
    images_NHWC = arrays["images"]
    n = len(images_NHWC)
    if n == 0:
        raise EmptyInputError(path, "holds no events")
    if not ((images_NHWC >= 0) & (images_NHWC < np.float64(_LARGEST))).all():
        raise BadValueError(path, f"array 'images' holds E_T that is negative or not finite, or above {_LARGEST:g} GeV")
    if "n_tracks" in arrays and not ((arrays["n_tracks"] >= 0) & (arrays["n_tracks"] < _LARGEST)).all():
        raise BadValueError(path, "array 'n_tracks' holds what is no number of tracks")
    channels = CHANNELS[: images_NHWC.shape[-1]]
    label = _labels(path, arrays, n)
    columns: dict[str, NDArray[Any]] = {
        "n_tracks": arrays["n_tracks"].reshape(n) if "n_tracks" in arrays else np.zeros(n),
        "ht": np.full(n, np.nan),
        "weight": np.ones(n),
        "label": label,
        "mass": _masses(path, arrays, label),
        "entry": np.arange(n),
        "n_vertices": np.zeros(n),
    }
    images = SparseImages(
        **{name: _channel(images_NHWC[..., CHANNELS.index(name)], name) if name in channels else _nothing(n, name)
           for name in CHANNELS}
    )  # fmt: skip
    told = frozenset(CHANNELS if len(channels) > 1 else {TOTAL}) | ({"n_tracks"} & arrays.keys())
    return PaperImages(ImageSet(images, **{name: columns[name].astype(COLUMNS[name]) for name in COLUMNS}), told)


def _arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    try:
        # A stream of our own is closed whatever is in it.
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise UnreadableFileError(path, "no such file") from None
    # A damaged archive surfaces as almost any exception, an untrue size of an array as want of memory.
    except Exception as error:  # noqa: BLE001
        raise UnreadableFileError(path, f"cannot be read as npz without pickle ({error})") from None
    # numpy hands out what does not start as an array does as bytes.
    if other := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise UnreadableFileError(path, f"holds {shortened(other[0])}, which is no array")
    if "images" not in arrays:
        raise UnreadableFileError(path, f"has no array 'images' (found: {', '.join(arrays) or 'none'})")
    shape = arrays["images"].shape
    if arrays["images"].dtype.kind != "f" or shape[1:3] != _SHAPE or len(shape) != 4 or shape[3] not in {1, 3}:
        expected = f"floats of shape (events, {_SHAPE[0]}, {_SHAPE[1]}, 1 or 3)"
        raise UnreadableFileError(path, f"array 'images' is {arrays['images'].dtype} {shape}; expected {expected}")
    for name in ("labels", "masses", "n_tracks"):
        if name in arrays and (arrays[name].dtype.kind not in "fiub" or arrays[name].size != shape[0]):
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            raise UnreadableFileError(path, f"array '{name}' is {found}; expected one number for each of {shape[0]}")
    return arrays


def labels_by_name(path: str | Path) -> set[int] | None:
    """The label that a file's name tells; None for other names, and for files of other kinds."""
    named = _from_name(path) if Path(path).suffix == SUFFIX else None
    return None if named is None else {named[0]}


def _from_name(path: str | Path) -> tuple[int, float] | None:
    """Label and mass (GeV) that the file's name tells."""
    for label, pattern in _NAMES.items():
        if found := pattern.match(Path(path).name):
            return label, float(found[1]) if label else 0.0
    return None


def _labels(path: str | Path, arrays: dict[str, NDArray[Any]], n: int) -> NDArray[np.integer[Any]]:
    named = _from_name(path)
    if "labels" not in arrays:
        if named is None:
            raise BadValueError(path, "has no array 'labels', and its name starts with none of qcd_, suep_, svj_")
        return np.full(n, named[0])
    labels = arrays["labels"].reshape(n)
    if not np.isin(labels, list(_NAMES)).all():
        raise BadValueError(path, f"labels are {np.unique(labels).tolist()}; expected 0 (QCD), 1 (SUEP), 2 (SVJ)")
    if named is not None and not (labels == named[0]).all():
        raise BadValueError(path, f"labels are {np.unique(labels).tolist()}, but the file's name says {named[0]}")
    return labels.astype(np.int64)


def _masses(path: str | Path, arrays: dict[str, NDArray[Any]], label: NDArray[Any]) -> NDArray[np.float64]:
    """Mediator masses, GeV; 0 for QCD."""
    named = _from_name(path)
    if named is not None:
        if named[1] >= _LARGEST:
            raise BadValueError(path, f"the file's name says a mass of {named[1]:g} GeV")
        return np.where(label == 0, 0.0, named[1])
    masses = arrays["masses"].reshape(len(label)).astype(np.float64) if "masses" in arrays else np.zeros(len(label))
    for code, (of_label, mass) in MASS_CODES.items():
        masses = np.where((masses == code) & (label == of_label), mass, masses)
    unknown = (label != 0) & ~((masses > max(MASS_CODES)) & (masses < _LARGEST))
    if unknown.any():
        raise BadValueError(path, f"has signal events without a known mass (found {masses[unknown][0]:g})")
    return np.where(label == 0, 0.0, masses)


def _channel(image_NHW: NDArray[np.floating[Any]], name: str) -> csr_array:
    """Sparse pixels that :func:`imaging.dense.coarse_pixels` turns into the image again."""
    coarse = csr_array(image_NHW.reshape(len(image_NHW), -1).astype(np.float32))
    phi_bin, eta_bin = np.divmod(coarse.indices, np.int32(HCAL.n_eta))
    if name == "hcal":
        index = eta_bin * np.int32(HCAL.n_phi) + phi_bin
        _, share = hcal_to_coarse()
        return canonical(coarse.data / share[index], index, coarse.indptr, HCAL.n_pixels)
    centre = BLOCK // 2
    index = (eta_bin * BLOCK + centre - ETA_PADDING) * np.int32(FINE.n_phi) + phi_bin * BLOCK + centre
    return canonical(coarse.data, index, coarse.indptr, FINE.n_pixels)


def _nothing(n: int, name: str) -> csr_array:
    return csr_array((n, GRIDS[name].n_pixels), dtype=np.float32)
