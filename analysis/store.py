"""Histograms on disk: UHI JSON and ROOT, neither of which runs code when read.

Either holds one histogram per key ``DATASET/NAME``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import uhi.io
import uhi.io.json
import uproot
from hist import Hist
from hist.storage import Double, Int64

from analysis.histograms import COUNTS, Histograms
from darktrigger.errors import UnreadableFileError
from darktrigger.files import atomic_path, read_json, write_text
from imaging.delphes_file import explain_read_errors


def write_histograms_json(path: str | Path, datasets: Mapping[str, Histograms]) -> None:
    """Write UHI JSON; histograms in two dimensions are stored sparse."""
    data = {
        f"{dataset}/{name}": _serialised(histogram)
        for dataset, histograms in datasets.items()
        for name, histogram in histograms.items()
    }
    write_text(path, json.dumps(data, default=uhi.io.json.default, allow_nan=False) + "\n")


def _serialised(histogram: Hist[Any]) -> Any:
    full = histogram._to_uhi_()
    return full if histogram.ndim == 1 else uhi.io.to_sparse(full)


def read_histograms_json(path: str | Path) -> dict[str, Histograms]:
    """Read what :func:`write_histograms_json` wrote, dataset by dataset.

    Raises
    ------
    UnreadableFileError
        Absent, not JSON, or not UHI histograms.
    """
    datasets: dict[str, Histograms] = {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise UnreadableFileError(path, f"is no mapping of histograms but a {type(content).__name__}")
    for key, serialised in content.items():
        dataset, _, name = key.partition("/")
        try:
            # A NaN or a number beyond all integers among counts is an exception too, not a warning.
            with np.errstate(invalid="raise"):
                histogram: Hist[Any] = Hist(uhi.io.from_sparse(uhi.io.json.object_hook(_arrays(serialised))))
        # Wrong content surfaces as almost any exception of uhi, hist and numpy.
        except Exception as error:  # noqa: BLE001
            raise UnreadableFileError(path, f"'{key}' is not a UHI histogram ({error!r})") from None
        datasets.setdefault(dataset, {})[name] = histogram
    return datasets


def _arrays(serialised: dict[str, Any]) -> dict[str, Any]:
    return serialised | {"storage": uhi.io.json.object_hook(dict(serialised["storage"]))}


def write_histograms_root(path: str | Path, datasets: Mapping[str, Histograms]) -> None:
    """Write TH1D and TH2D, one folder a dataset; counts are doubles there, exact up to 2^53."""
    with atomic_path(path) as temporary, uproot.recreate(temporary) as file:
        for dataset, histograms in datasets.items():
            for name, histogram in histograms.items():
                file[f"{dataset}/{name}"] = _as_double(histogram) if name.endswith(COUNTS) else histogram


def _as_double(histogram: Hist[Any]) -> Hist[Any]:
    values = histogram.values(flow=True).astype(np.float64)
    return Hist(*histogram.axes, storage=Double(), data=values, name=histogram.name)


def read_histograms_root(path: str | Path) -> dict[str, Histograms]:
    """Read what :func:`write_histograms_root` wrote; ROOT keeps axis titles, not axis names.

    Raises
    ------
    UnreadableFileError
        Absent, or not ROOT.
    """
    datasets: dict[str, Histograms] = {}
    with explain_read_errors(str(path)), np.errstate(invalid="raise"), uproot.open(path) as file:
        for key in file.keys(cycle=False, filter_classname="TH*"):
            dataset, _, name = key.partition("/")
            histogram = file[key].to_hist()
            if name.endswith(COUNTS):
                counts = histogram.values(flow=True).astype(np.int64)
                histogram = Hist(*histogram.axes, storage=Int64(), data=counts, name=name)
            datasets.setdefault(dataset, {})[name] = histogram
    return datasets
