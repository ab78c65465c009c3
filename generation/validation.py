"""Comparison of two Delphes files: means, Kolmogorov-Smirnov tests and spectra of what the images hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray
from scipy import stats

from darktrigger.errors import BadValueError, EmptyInputError, MissingBranchError
from imaging.delphes_file import check_sound, explain_read_errors
from imaging.events import check_one_per_event
from imaging.grid import FINE, HCAL

_TRACK_ETA, _HCAL_ETA = float(FINE.eta_max), float(HCAL.eta_max)


class Source(NamedTuple):
    """A collection, the members that give its E_T, eta and position, and the abs(eta) that counts."""

    collection: str
    e_t: str
    eta: str
    eta_max: float


SOURCES = {
    "tracks": Source("Track", "PT", "EtaOuter", _TRACK_ETA),
    "corrected tracks": Source("Track_PUcorr", "PT", "EtaOuter", _TRACK_ETA),
    "ECAL": Source("ecalTower", "ET", "Eta", _TRACK_ETA),
    "HCAL": Source("hcalTower", "ET", "Eta", _HCAL_ETA),
}
SCALARS = {"HT": ("ScalarHT", "HT"), "MET": ("MissingET", "MET")}


@dataclass(frozen=True)
class Sample:
    """One file, reduced: quantities for each event, and the E_T and eta of every deposit.

    Parameters
    ----------
    number
        Event numbers.
    per_event
        Quantity to values, (n,).
    spectra
        ``(detector, "E_T" or "eta")`` to values of all deposits.
    """

    number: NDArray[np.int64]
    per_event: dict[str, NDArray[np.float64]]
    spectra: dict[tuple[str, str], NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.number)


class Comparison(NamedTuple):
    """Means of one quantity in both files.

    ``difference`` is relative to the reference, with its statistical error; paired events
    share most of their fluctuations, which the error then leaves out.
    """

    quantity: str
    mean: float
    reference: float
    difference: float
    error: float
    ks_p: float

    @property
    def passes(self) -> bool:
        """Within 3% or two standard errors, and no contradiction by the KS test at 1%."""
        return abs(self.difference) <= max(0.03, 2 * self.error) and self.ks_p > 0.01

    def plain(self) -> dict[str, str | float | None]:
        """For JSON, which has no infinity: the error of a single event is None."""
        return {
            key: value if isinstance(value, str) or np.isfinite(value) else None
            for key, value in self._asdict().items()
        }


def read_sample(path: str | Path, suffix: str = "") -> Sample:
    """Reduce a Delphes file.

    Parameters
    ----------
    path
        ROOT file.
    suffix
        Of the collections that are read where the file has several sets, such as ``_noPU``.

    Raises
    ------
    UnreadableFileError, EmptyInputError
        Not a sound Delphes file with events.
    BadValueError
        NaN or infinity, or other than one value an event where Delphes writes one.
    MissingBranchError
        None of the collections is there.
    """
    with explain_read_errors(str(path)), uproot.open(path) as file:
        tree: Any = file["Delphes"]
        if tree.num_entries == 0:
            raise EmptyInputError(path, "holds no events")
        per_event: dict[str, NDArray[np.float64]] = {}
        spectra: dict[tuple[str, str], NDArray[np.float64]] = {}
        for name, source in SOURCES.items():
            collection = source.collection + suffix
            if f"{collection}.{source.e_t}" not in tree:
                continue
            e_t, eta = (_read(tree, f"{collection}.{member}", path) for member in (source.e_t, source.eta))
            inside = abs(eta) < source.eta_max
            e_t, eta = e_t[inside], eta[inside]
            per_event[f"{name}: number"] = _numpy(ak.num(e_t))
            per_event[f"{name}: sum"] = _numpy(ak.sum(e_t, axis=1))
            spectra[name, "E_T"], spectra[name, "eta"] = _numpy(ak.flatten(e_t)), _numpy(ak.flatten(eta))
        for name, (collection, member) in SCALARS.items():
            branch = f"{collection}{suffix}.{member}"
            if branch in tree:
                per_event[name] = _numpy(_read_single(tree, branch, path))
        number = np.asarray(_read_single(tree, "Event.Number", path), dtype=np.int64)
    for name, values in [*per_event.items(), *((" ".join(key), found) for key, found in spectra.items())]:
        if not np.isfinite(values).all():
            raise BadValueError(path, f"{name} holds {values[~np.isfinite(values)][0]} (not a finite number)")
    if not per_event:
        raise MissingBranchError(
            path, f"has none of the collections {', '.join(s.collection + suffix for s in SOURCES.values())}"
        )
    return Sample(number, per_event, spectra)


def _read(tree: Any, branch: str, path: str | Path) -> ak.Array:
    values = tree[branch].array()
    check_sound(values, branch, str(path))
    return values


def _read_single(tree: Any, branch: str, path: str | Path) -> ak.Array:
    values = _read(tree, branch, path)
    check_one_per_event(values, branch, str(path))
    return ak.flatten(values)


def _numpy(values: ak.Array) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def compare(ours: Sample, reference: Sample) -> list[Comparison]:
    """Compare every quantity that both have; events are paired where the numbers agree throughout."""
    paired = len(ours) == len(reference) and bool((ours.number == reference.number).all())
    rows = []
    for quantity, theirs in reference.per_event.items():
        if quantity in ours.per_event:
            values = ours.per_event[quantity]
            scale = theirs.mean() or 1.0
            if paired:
                error = _standard_error(values - theirs)
            else:
                error = float(np.hypot(_standard_error(values), _standard_error(theirs)))
            rows.append(
                Comparison(
                    quantity,
                    float(values.mean()),
                    float(theirs.mean()),
                    float((values.mean() - theirs.mean()) / scale),
                    error / abs(scale),
                    float(stats.ks_2samp(values, theirs).pvalue),
                )
            )
    return rows


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.inf


class Spectrum(NamedTuple):
    """Deposits per event and bin in both files, and their ratio, with statistical errors."""

    edges: NDArray[np.float64]
    ours: NDArray[np.float64]
    reference: NDArray[np.float64]
    ratio: NDArray[np.float64]
    error: NDArray[np.float64]


#: Bins of E_T in GeV: about logarithmic, up to where single files have entries.
E_T_EDGES = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 25.0, 40.0, 60.0, 100.0, 200.0, 500.0])
ETA_EDGES = np.linspace(-2.5, 2.5, 26)


def spectrum(ours: Sample, reference: Sample, key: tuple[str, str]) -> Spectrum:
    """Histogram one spectrum of both; where the reference is empty, the ratio is NaN."""
    edges = E_T_EDGES if key[1] == "E_T" else ETA_EDGES
    counts = [np.histogram(sample.spectra[key], edges)[0] for sample in (ours, reference)]
    rates = [count / len(sample) for count, sample in zip(counts, (ours, reference), strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rates[0] / rates[1]
        error = ratio * np.sqrt(1 / counts[0] + 1 / counts[1])
    ratio[counts[1] == 0] = np.nan
    return Spectrum(edges, rates[0], rates[1], ratio, error)


def table(rows: Sequence[Comparison]) -> str:
    """The comparisons as text, one a line."""
    lines = [f"{'quantity':26s} {'ours':>10s} {'reference':>10s} {'difference':>12s} {'error':>8s} {'KS p':>7s}"]
    lines.extend(
        f"{row.quantity:26s} {row.mean:10.2f} {row.reference:10.2f} {row.difference:+12.2%} {row.error:8.2%} "
        f"{row.ks_p:7.3f}{'' if row.passes else '  !'}"
        for row in rows
    )
    return "\n".join(lines)
