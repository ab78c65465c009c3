"""Comparison of files, and ours against real Delphes."""

import dataclasses
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import ArrayLike, NDArray
from typer.testing import CliRunner

from darktrigger.errors import BadValueError, UnreadableFileError
from generation.delphes_file import DelphesWriter
from generation.detector import DetectorCard, simulate
from generation.events import GenEvents, concatenate_events
from generation.hepmc import read_hepmc
from generation.pileup import PoolConfig, load_pool, make_pool
from generation.validation import Comparison, Sample, compare, read_sample, spectrum, table
from generation.validation_cli import app

SAMPLES = ("qcd", "suep1000", "svj3100")


@pytest.fixture(scope="module", params=SAMPLES)
def matched(
    request: pytest.FixtureRequest, shared: Path, cms: DetectorCard, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A sample of real Delphes without pile-up, and ours from the same generated events."""
    folder = shared / "delphes"
    events = concatenate_events(list(read_hepmc(folder / f"{request.param}.hepmc.gz")))
    path = tmp_path_factory.mktemp("ours") / f"{request.param}.root"
    with DelphesWriter(path) as writer:
        writer.write(simulate(events, None, 0.0, cms, np.random.default_rng(5)))
    return path, folder / f"{request.param}_pu50.root"


def test_agrees_with_real_delphes(matched: tuple[Path, Path]) -> None:
    """Means within 3% or two and a half standard errors; the same distributions."""
    ours, reference = matched
    rows = compare(read_sample(ours), read_sample(reference, "_noPU"))
    assert {row.quantity for row in rows} >= {"tracks: number", "ECAL: sum", "HCAL: number"}
    for row in rows:
        assert abs(row.difference) < max(0.03, 2.5 * row.error), table(rows)
        assert row.ks_p > 0.01, table(rows)


@pytest.mark.parametrize("detector", ["ECAL", "HCAL", "tracks"])
def test_spectra_agree_with_real_delphes(matched: tuple[Path, Path], detector: str) -> None:
    """Within 5% bin by bin up to 100 GeV, or three standard errors where there are few deposits."""
    ours, reference = (read_sample(path, suffix) for path, suffix in zip(matched, ("", "_noPU"), strict=True))
    result = spectrum(ours, reference, (detector, "E_T"))
    filled = (result.edges[1:] <= 100.0) & (result.reference * len(reference) >= 30)
    assert filled.sum() >= 5
    assert (np.abs(result.ratio - 1)[filled] < np.maximum(0.05, 3 * result.error[filled])).all()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> GenEvents:
    return load_pool(make_pool(PoolConfig(events=3000, seed=3), tmp_path_factory.mktemp("pool")))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_real_delphes_under_pileup(
    name: str, shared: Path, cms: DetectorCard, pool: GenEvents, tmp_path: Path
) -> None:
    """The same distributions; means that pile-up does not dominate within 3% or three standard errors."""
    events = concatenate_events(list(read_hepmc(shared / "delphes" / f"{name}.hepmc.gz")))
    with DelphesWriter(tmp_path / "ours.root") as writer:
        writer.write(simulate(events, pool, 50.0, cms, np.random.default_rng(5)))
    rows = compare(read_sample(tmp_path / "ours.root"), read_sample(shared / "delphes" / f"{name}_pu50.root"))
    for row in rows:
        assert row.ks_p > 0.01, table(rows)
        if row.quantity in {"corrected tracks: number", "corrected tracks: sum", "HT", "MET"}:
            assert abs(row.difference) < max(0.03, 3 * row.error), table(rows)


@pytest.mark.slow
def test_pileup_adds_as_many_tracks_as_in_real_delphes(cms: DetectorCard, pool: GenEvents) -> None:
    """583.3 for 50 interactions, over 1,800 events of five samples (FACTS, section 2): known to about 0.4%.

    Only tracks add up: towers of pile-up alone pass their thresholds more rarely than on top of a hard event.
    """
    n = 400
    empty = dataclasses.replace(
        pool[:0], offsets=np.zeros(n + 1, dtype=np.int64), weight=np.ones(n), number=np.arange(n)
    )
    result = simulate(empty, pool, 50.0, cms, np.random.default_rng(1))
    n_vertices = result["Vertex"].offsets[-1] / n - 1
    n_tracks = (np.abs(result["Track"].columns["EtaOuter"]) < 2.49535).sum() / n
    assert n_tracks * 50 / n_vertices == pytest.approx(583.3, rel=0.03)


def make_sample(values: ArrayLike, number: NDArray[np.int64] | None = None) -> Sample:
    column = np.asarray(values, dtype=float)
    number = np.arange(len(column)) if number is None else number
    return Sample(number, {"HT": column}, {("ECAL", "E_T"): column})


def test_comparison_of_paired_events_ignores_what_they_share() -> None:
    rng = np.random.default_rng(1)
    truth = rng.exponential(500, 1000)
    ours, theirs = truth + rng.normal(0, 5, 1000), truth + rng.normal(0, 5, 1000)
    paired = compare(make_sample(ours), make_sample(theirs))[0]
    unpaired = compare(make_sample(ours, np.arange(1000) + 1), make_sample(theirs))[0]
    assert paired.error == pytest.approx(np.sqrt(50) / np.sqrt(1000) / truth.mean(), rel=0.1)
    assert unpaired.error == pytest.approx(np.sqrt(2 / 1000), rel=0.15)
    assert paired.passes


def test_comparison_sees_a_shift() -> None:
    values = np.random.default_rng(1).normal(100, 10, 500)
    row = compare(make_sample(values * 1.1), make_sample(values))[0]
    assert row.difference == pytest.approx(0.1)
    assert not row.passes
    assert "!" in table([row])
    assert "!" not in table([Comparison("HT", 1.0, 1.0, 0.0, 0.1, 0.5)])


def test_spectrum_counts_per_event() -> None:
    ours, reference = make_sample([0.7, 0.7, 5.0, 5.0]), make_sample([0.7, 5.0])
    result = spectrum(ours, reference, ("ECAL", "E_T"))
    assert result.ours.sum() == result.reference.sum() == 1.0
    assert result.ratio[0] == 1.0
    assert np.isnan(result.ratio[1])


def test_command(data: Path, tmp_path: Path) -> None:
    file = str(data / "qcd.root")
    result = CliRunner().invoke(app, [file, file, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "corrected tracks: number" in result.output
    assert (tmp_path / "out" / "comparison.json").is_file()
    assert len(list((tmp_path / "out").glob("*.pdf"))) >= 10


def test_missing_file() -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_sample("absent.root")


@pytest.mark.parametrize("branch", ["MissingET.MET", "Event.Number"])
def test_one_value_an_event(branch: str, tmp_path: Path) -> None:
    counts = ak.Array([[1.0], []]), ak.Array([[1.0], [2.0]])
    columns = {name: counts[name != branch] for name in ("ScalarHT.HT", "MissingET.MET", "Event.Number")}
    with uproot.recreate(tmp_path / "bad.root") as file:
        file.mktree("Delphes", dict.fromkeys(columns, "var * float64"))
        file["Delphes"].extend(columns)
    with pytest.raises(BadValueError, match=rf"branch {branch} holds 0 values in event 1, expected 1"):
        read_sample(tmp_path / "bad.root")
