"""Lists of jet constituents in HDF5: the layout of the public top-tagging dataset, and plain arrays.

The dataset (arXiv:1902.09914) was written with pandas: a table ``table/table`` whose float columns ``E_0, PX_0,
PY_0, PZ_0, E_1, ...`` lie in the field ``values_block_0`` and whose integer columns, ``is_signal_new`` among them,
in ``values_block_1``. Pandas keeps the columns' names as pickles. Those are never loaded: the names are found in
their text. Its files are compressed with Blosc, which h5py reads where the package hdf5plugin is installed.

A plain file holds one dataset (jets, constituents, 4) of E, px, py, pz, and perhaps ``is_signal_new`` (jets,).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import BadValueError, EmptyInputError, UnreadableFileError
from imaging.jets.clustering import Jets, in_window, momenta
from imaging.jets.config import JetSelection
from imaging.jets.preprocessing import Constituents

SUFFIXES = (".h5", ".hdf5", ".hdf")
TABLE = "table/table"
SIGNAL = "is_signal_new"
_FLOATS, _INTEGERS = "values_block_0", "values_block_1"
_NAMES = {
    _FLOATS: re.compile(rb"truth(?:E|PX|PY|PZ)|(?:E|PX|PY|PZ)_[0-9]+"),
    _INTEGERS: re.compile(rb"ttv|is_signal_new"),
}


class Layout(NamedTuple):
    """Where a file has its numbers: ``columns`` lists, for table files, E, px, py, pz of each constituent in turn."""

    data: Any
    columns: NDArray[np.int64] | None
    signal: Any  # dataset of labels, the integer column of them, or None
    names: tuple[str, ...]


@contextmanager
def open_constituents(path: str) -> Iterator[Layout]:
    """Open a file and find its columns.

    Raises
    ------
    UnreadableFileError
        Not HDF5, of another layout, or compressed in a way that cannot be read here.
    EmptyInputError
        It holds no jets.
    """
    if not Path(path).exists():
        raise UnreadableFileError(path, "no such file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read as HDF5 ({error})") from None
    with file:
        layout = _table_layout(path, file) if TABLE in file else _plain_layout(path, file)
        _require_filters(path, layout.data)
        if len(layout.data) == 0:
            raise EmptyInputError(path, "holds no jets")
        yield layout


def read_jets(
    path: str, layout: Layout, start: int, stop: int, selection: JetSelection
) -> tuple[Jets, NDArray[np.bool_] | None]:
    """Jets of a range of rows that lie in the window, and whether each is signal, where the file tells.

    ``event`` of the jets counts from ``start``. Constituents without energy are padding.

    Raises
    ------
    UnreadableFileError
        The file is damaged.
    BadValueError
        NaN or infinity.
    """
    try:
        rows = layout.data[start:stop]
        signal = layout.signal[start:stop] if isinstance(layout.signal, h5py.Dataset) else None
    except OSError as error:
        raise UnreadableFileError(path, f"is damaged ({error})") from None
    if layout.columns is not None:
        signal = None if layout.signal is None else rows[_INTEGERS][:, layout.signal]
        rows = rows[_FLOATS][:, layout.columns]
    values_JCF = rows.reshape(len(rows), -1, 4).astype(np.float64)
    if not np.isfinite(values_JCF).all():
        raise BadValueError(path, f"holds a value that is not finite in rows {start} to {stop - 1}")
    e, px, py, pz = np.moveaxis(values_JCF, 2, 0)
    there = (e > 0) & (np.hypot(px, py) > 0)
    whole = momenta(*(np.where(there, column, 0).sum(axis=1) for column in (px, py, pz, e)))
    chosen = np.flatnonzero(in_window(whole, selection))
    there = there[chosen]
    parts = momenta(*(column[chosen][there] for column in (px, py, pz, e)))
    offsets = np.concatenate(([0], np.cumsum(there.sum(axis=1))))
    pt, eta, phi, mass = (column[chosen] for column in whole)
    jets = Jets(
        chosen, np.zeros_like(chosen), pt, eta, phi, mass, Constituents(offsets, parts.pt, parts.eta, parts.phi)
    )
    return jets, None if signal is None else np.asarray(signal)[chosen] > 0


def _table_layout(path: str, file: Any) -> Layout:
    table = file[TABLE]
    fields = table.dtype.names or ()
    if _FLOATS not in fields:
        found = ", ".join(fields) or "no columns"
        raise UnreadableFileError(path, f"table '{TABLE}' has {found}; expected {_FLOATS}")
    names = _column_names(path, table, _FLOATS)
    n_constituents = sum(name.startswith("E_") for name in names)
    wanted = tuple(f"{what}_{i}" for i in range(n_constituents) for what in ("E", "PX", "PY", "PZ"))
    missing = [name for name in wanted if name not in names]
    if missing or not wanted:
        raise UnreadableFileError(
            path, f"table '{TABLE}' lacks the columns {', '.join(missing[:4]) or 'E_0, PX_0, ...'}"
        )
    integers = _column_names(path, table, _INTEGERS) if _INTEGERS in fields else ()
    signal = integers.index(SIGNAL) if SIGNAL in integers else None
    described = (f"{wanted[0]} to {wanted[-1]}", *((SIGNAL,) if signal is not None else ()))
    return Layout(table, np.array([names.index(name) for name in wanted]), signal, described)


def _column_names(path: str, table: Any, block: str) -> tuple[str, ...]:
    """Names of a block's columns, from the text of the pickle that holds them."""
    raw = table.attrs.get(f"{block}_kind")
    text = bytes(raw) if raw is not None else b""
    names = tuple(name.decode() for name in _NAMES[block].findall(text))
    width = int(np.prod(table.dtype[block].shape))
    if len(names) != width or len(set(names)) != width:
        raise UnreadableFileError(
            path, f"attribute '{block}_kind' names {len(names)} known columns where the table has {width}"
        )
    return names


def _plain_layout(path: str, file: Any) -> Layout:
    datasets = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
    momenta_of = [name for name, item in datasets.items() if item.ndim == 3 and item.shape[2] == 4]
    if len(momenta_of) != 1 or datasets[momenta_of[0]].dtype.kind != "f":
        found = ", ".join(f"{name} {item.dtype} {item.shape}" for name, item in datasets.items()) or "no datasets"
        raise UnreadableFileError(
            path, f"has neither a table '{TABLE}' nor one dataset of floats (jets, constituents, 4); found: {found}"
        )
    name = momenta_of[0]
    signal = datasets.get(SIGNAL)
    if signal is not None and signal.shape != datasets[name].shape[:1]:
        raise UnreadableFileError(path, f"dataset '{SIGNAL}' is {signal.shape}; expected {datasets[name].shape[:1]}")
    return Layout(datasets[name], None, signal, (name, *((SIGNAL,) if signal is not None else ())))


def _require_filters(path: str, data: Any) -> None:
    """Check that the compression can be undone."""
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    if all(h5py.h5z.filter_avail(number) for number, *_ in filters):
        return
    with suppress(ImportError):
        import_module("hdf5plugin")  # adds its filters to h5py
    for number, _, _, name in filters:
        if not h5py.h5z.filter_avail(number):
            what = name.decode(errors="replace") or f"filter {number}"
            raise UnreadableFileError(
                path, f"is compressed with {what}, which needs the package hdf5plugin (pip install hdf5plugin)"
            )
