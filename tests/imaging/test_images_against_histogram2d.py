"""Images of real Delphes files against an independent binning, bin by bin."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.dense import fine
from imaging.grid import FINE, HCAL
from imaging.image_file import read_image_file
from imaging.sample import Sample

Edges = tuple[NDArray[np.float64], NDArray[np.float64]]
FINE_EDGES = (np.linspace(-143 * 0.01745, 143 * 0.01745, 287), np.linspace(-np.pi, np.pi, 361))
HCAL_EDGES = (np.linspace(-29 * 0.08725, 29 * 0.08725, 59), np.linspace(-np.pi, np.pi, 73))


def binned(events: ak.Array, entry: int, collection: str, edges: Edges) -> NDArray[np.float64]:
    """One event's deposits in a plain numpy histogram, in double precision."""
    names = ("PT", "EtaOuter", "PhiOuter") if "Track" in collection else ("ET", "Eta", "Phi")
    e_t, eta, phi = (np.asarray(events[f"{collection}.{name}"][entry], dtype=np.float64) for name in names)
    sums: NDArray[np.float64] = np.histogram2d(eta, phi, bins=edges, weights=e_t)[0]
    return sums


@pytest.mark.parametrize("name", ["qcd", "suep1000", "svj3100"])
def test_every_bin_agrees(data: Path, tmp_path: Path, name: str) -> None:
    path = data / f"{name}.root"
    events = uproot.open(path)["Delphes"].arrays(
        filter_name=["/(Track_PUcorr|ecalTower|hcalTower).(PT|ET|Eta|Phi|EtaOuter|PhiOuter)/", "ScalarHT.HT"]
    )
    ht = ak.flatten(events["ScalarHT.HT"]).to_numpy()
    metadata = convert([str(path)], tmp_path / "images.parquet", Sample(), ImagingConfig(step_size="100 kB"))
    images = read_image_file(tmp_path / "images.parquet")
    np.testing.assert_array_equal(images.entry, np.flatnonzero(ht > 500))
    np.testing.assert_array_equal(images.ht, ht[ht > 500])
    assert metadata.events_selected == len(images)
    dense_NCHW = fine(images.images)
    for row, entry in enumerate(images.entry):
        trk = binned(events, entry, "Track_PUcorr", FINE_EDGES)
        ecal = binned(events, entry, "ecalTower", FINE_EDGES)
        hcal = binned(events, entry, "hcalTower", HCAL_EDGES)
        np.testing.assert_allclose(images.images.trk[[row]].toarray().reshape(FINE.n_eta, -1), trk, rtol=1e-5)
        np.testing.assert_allclose(images.images.ecal[[row]].toarray().reshape(FINE.n_eta, -1), ecal, rtol=1e-5)
        np.testing.assert_allclose(images.images.hcal[[row]].toarray().reshape(HCAL.n_eta, -1), hcal, rtol=1e-5)
        np.testing.assert_allclose(dense_NCHW[row, 0, 1:-1], trk, rtol=1e-5)
        np.testing.assert_allclose(dense_NCHW[row, 2, 1:-1], np.kron(hcal, np.ones((5, 5)) / 25)[2:-2], rtol=1e-5)
        eta_outer = np.asarray(events["Track_PUcorr.EtaOuter"][entry])
        assert images.n_tracks[row] == np.sum(np.abs(eta_outer) < 2.49535)


def test_stock_card_splits_towers(shared: Path, tmp_path: Path) -> None:
    path = shared / "delphes" / "qcd_stock_nopu.root"
    tree = uproot.open(path)["Delphes"]
    tower = tree.arrays([f"Tower.{name}" for name in ("ET", "Eta", "E", "Eem", "Ehad")])
    metadata = convert([str(path)], tmp_path / "images.parquet", Sample(), ImagingConfig())
    images = read_image_file(tmp_path / "images.parquet")
    assert metadata.source_files[0].branches.trk.e_t == "Track.PT"
    for matrix, share, eta_max in ((images.images.ecal, "Eem", 2.49535), (images.images.hcal, "Ehad", 2.53025)):
        inside = abs(tower["Tower.Eta"]) < eta_max
        e_t = ak.sum((tower["Tower.ET"] * tower[f"Tower.{share}"] / tower["Tower.E"])[inside], axis=1).to_numpy()
        np.testing.assert_allclose(matrix.sum(axis=1), e_t[images.entry.astype(int)], rtol=1e-4)
