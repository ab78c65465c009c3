"""Lists of constituents: files that pandas wrote in the top-tagging dataset's layout, and plain arrays.

``toptagging_*.h5`` hold 6 jets; jet i has 2 + i constituents of 600 / (2 + i) GeV at eta = 0.1 i and phi = 0,
0.01, ..., and odd ones are signal.
"""

import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from darktrigger.errors import BadValueError, EmptyInputError, InputFileError, UnreadableFileError
from imaging.jets.config import JetConfig, JetSelection
from imaging.jets.convert import JetSample, convert_jets
from imaging.jets.jet_file import read_jet_files, read_jet_metadata
from imaging.jets.jet_set import JetSet

WIDE = JetConfig(selection=JetSelection(pt_min=0.0, pt_max=2000.0))


def read(path: Path, sample: JetSample = JetSample(), config: JetConfig = WIDE) -> JetSet:  # noqa: B008
    output = path.with_suffix(".parquet")
    convert_jets([str(path)], output, sample, config)
    return read_jet_files([output])


def momenta_JCF(n_constituents: int = 3, n_padding: int = 2) -> np.ndarray:
    """Two jets of massless constituents of 200 GeV along x, then padding."""
    values = np.zeros((2, n_constituents + n_padding, 4), dtype=np.float32)
    values[:, :n_constituents, :2] = 200.0
    return values


def test_public_layout(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "jets.parquet"
    done = convert_jets([str(data / "toptagging_zlib.h5")], output, JetSample(), JetConfig())
    assert done.algorithm == "as in the source file"
    assert done.source_files[0].constituents == ("E_0 to PZ_199", "is_signal_new")
    jets = read_jet_files([output])
    assert jets.label.tolist() == [0, 3, 0, 3, 0, 3]
    assert jets.n_constituents.tolist() == [2, 3, 4, 5, 6, 7]
    assert jets.entry.tolist() == list(range(6))
    np.testing.assert_allclose(jets.pt, 600, rtol=1e-3)
    np.testing.assert_allclose(jets.eta, 0.1 * np.arange(6), atol=1e-3)
    np.testing.assert_allclose(jets.images.sum(axis=1), 600, rtol=1e-5)
    assert read_jet_metadata(output).label_names[3] == "top"


def test_blosc_is_read_or_says_what_it_needs(data: Path, tmp_path: Path) -> None:
    source, output = str(data / "toptagging_blosc.h5"), tmp_path / "jets.parquet"
    if importlib.util.find_spec("hdf5plugin"):
        assert convert_jets([source], output, JetSample(), JetConfig()).jets_selected == 6
    else:
        with pytest.raises(UnreadableFileError, match="compressed with blosc, which needs the package hdf5plugin"):
            convert_jets([source], output, JetSample(), JetConfig())


def test_plain_array_with_padding(tmp_path: Path) -> None:
    path = tmp_path / "jets.h5"
    with h5py.File(path, "w") as file:
        file["constituents"] = momenta_JCF()
        file["is_signal_new"] = [1, 0]
    jets = read(path)
    assert jets.pt == pytest.approx([600, 600])
    assert jets.n_constituents.tolist() == [3, 3]
    assert jets.label.tolist() == [3, 0]
    assert set(read(path, JetSample(process="heidelberg", mass=500.0)).label) == {5}
    assert set(read(path, JetSample(label=9)).label) == {9}


def test_window_applies(tmp_path: Path) -> None:
    values = momenta_JCF()
    values[0] *= 2
    with h5py.File(tmp_path / "jets.h5", "w") as file:
        file["constituents"] = values
    jets = read(tmp_path / "jets.h5", config=JetConfig())
    assert jets.entry.tolist() == [1]
    assert jets.label.tolist() == [0]


class Trap:
    """Unpickling this would raise the alarm."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    """A table whose column names hide code: it is read by the names' text, or refused, and the code never runs."""
    names = [f"{what}_{i}" for i in range(3) for what in ("E", "PX", "PY", "PZ")]
    path = tmp_path / "trap.h5"
    with h5py.File(path, "w") as file:
        rows = np.zeros(2, dtype=[("index", "<i8"), ("values_block_0", "<f4", (12,))])
        rows["values_block_0"] = momenta_JCF(n_padding=0).reshape(2, -1)
        file["table/table"] = rows
        file["table/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps([*names, Trap()], protocol=0))
    assert read(path).pt == pytest.approx([600, 600])


def write_table(path: Path, kind: bytes) -> None:
    with h5py.File(path, "w") as file:
        file["table/table"] = np.zeros(2, dtype=[("index", "<i8"), ("values_block_0", "<f4", (8,))])
        file["table/table"].attrs["values_block_0_kind"] = np.bytes_(kind)


def write_plain(path: Path, values: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["constituents"] = values


@pytest.mark.parametrize(
    ("spoil", "error", "cause"),
    [
        (lambda path: None, UnreadableFileError, "no such file"),
        (lambda path: path.write_text("text"), UnreadableFileError, "cannot be read as HDF5"),
        (
            lambda path: write_table(path, b"E_0 PX_0"),
            UnreadableFileError,
            "names 2 known columns where the table has 8",
        ),
        (
            lambda path: write_table(path, b"E_0 PX_0 PY_0 PZ_0 E_1 PX_1 PY_1 PZ_2"),
            UnreadableFileError,
            "lacks the columns PZ_1",
        ),
        (
            lambda path: write_plain(path, np.zeros((2, 3))),
            UnreadableFileError,
            r"found: constituents float64 \(2, 3\)",
        ),
        (lambda path: write_plain(path, np.zeros((0, 3, 4))), EmptyInputError, "holds no jets"),
        (lambda path: write_plain(path, np.full((2, 3, 4), np.nan)), BadValueError, "not finite in rows 0 to 1"),
    ],
)
def test_bad_files(tmp_path: Path, spoil: Callable[[Path], object], error: type[InputFileError], cause: str) -> None:
    path, output = tmp_path / "bad.h5", tmp_path / "out" / "jets.parquet"
    spoil(path)
    with pytest.raises(error, match=f"{path}: .*{cause}"):
        convert_jets([str(path)], output, JetSample(), WIDE)
    assert not output.parent.exists() or list(output.parent.iterdir()) == []
