from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from darktrigger.errors import BadValueError, UnreadableFileError
from imaging.image_source import open_images
from imaging.jets.config import JetSelection
from imaging.jets.jet_file import (
    JET_SCHEMA,
    JetMetadata,
    iterate_jet_file,
    read_jet_files,
    read_jet_metadata,
    write_jet_file,
)
from imaging.jets.jet_set import JET_COLUMNS, JetSet

METADATA = JetMetadata(
    process="top",
    label_names={0: "QCD", 3: "top"},
    source_files=(),
    events_read=9,
    jets_selected=7,
    sum_of_weights_read=9.0,
    sum_of_weights_selected=7.0,
    algorithm="anti-kT, E scheme",
    selection=JetSelection(),
    versions={},
)


def some_jets(n: int) -> JetSet:
    rng = np.random.default_rng(n)
    image_NP = rng.exponential(size=(n, 1600)) * (rng.random((n, 1600)) < 0.02)
    columns = {name: (rng.random(n) * 100).astype(dtype) for name, dtype in JET_COLUMNS.items()}
    return JetSet(csr_array(image_NP.astype(np.float32)), **columns)


def assert_same(left: JetSet, right: JetSet) -> None:
    assert (left.images != right.images).nnz == 0
    for name, dtype in JET_COLUMNS.items():
        assert getattr(left, name).dtype == dtype
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def write(path: Path, *parts: JetSet) -> Path:
    with write_jet_file(path) as writer:
        for part in parts:
            writer.write(part)
        writer.write_metadata(METADATA)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "jets.parquet", some_jets(4), some_jets(3))
    whole = read_jet_files([path])
    assert_same(whole[:4], some_jets(4))
    assert_same(whole[4:], some_jets(3))
    assert_same(whole[np.array([4, 5, 6])], some_jets(3))
    assert read_jet_metadata(path) == METADATA
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert [len(part) for part in iterate_jet_file(path, 3)] == [3, 3, 1]
    assert len(read_jet_files([path, path])) == 14
    assert len(read_jet_files([])) == 0


def test_jets_are_no_images_of_events(tmp_path: Path) -> None:
    path = write(tmp_path / "jets.parquet", some_jets(2))
    with pytest.raises(UnreadableFileError, match="holds jets; expected images or objects of events"):
        open_images(path)


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with write_jet_file(tmp_path / "jets.parquet") as writer:
            writer.write(some_jets(1))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_jet_files([path])
    path.write_text("text")
    with pytest.raises(UnreadableFileError, match="cannot be read as Parquet"):
        read_jet_files([path])
    pq.write_table(pa.table({"pt": [1.0]}), path)
    with pytest.raises(UnreadableFileError, match=r"is not a jet image file: columns jet_bin, .* are missing"):
        read_jet_files([path])
    pq.write_table(JET_SCHEMA.empty_table(), path)
    with pytest.raises(UnreadableFileError, match="no darktrigger metadata"):
        read_jet_metadata(path)


@pytest.mark.parametrize(
    ("column", "values", "cause"),
    [
        ("jet_bin", [[1600]], "jet_bin holds pixel 1600"),
        ("jet_pt", [[float("inf")]], "jet_pt holds a value that is not finite"),
        ("jet_pt", [[1.0, 2.0]], "jet_bin and jet_pt differ in length"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, column: str, values: list[list[float]], cause: str) -> None:
    row: dict[str, Sequence[object]] = {"jet_bin": [[1]], "jet_pt": [[1.0]]}
    row |= {name: [1] for name in JET_COLUMNS} | {column: values}
    pq.write_table(pa.table(row, schema=JET_SCHEMA), tmp_path / "f.parquet")
    with pytest.raises(BadValueError, match=cause):
        read_jet_files([tmp_path / "f.parquet"])
