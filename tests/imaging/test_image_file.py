import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darktrigger.errors import BadValueError, UnreadableFileError
from imaging.config import ImagingConfig, Selection
from imaging.convert import convert
from imaging.display import load_event
from imaging.image_file import SCHEMA, iterate_image_file, read_image_file, read_image_files, read_metadata
from imaging.image_set import COLUMNS, ImageSet
from imaging.sample import Sample
from imaging.sparse import CHANNELS, GRIDS


@pytest.fixture(scope="module")
def image_file(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "suep.parquet"
    paths = [str(data / "suep1000.root"), str(data / "suep1000.root")]
    convert(paths, path, Sample(process="suep", mass=1000.0), ImagingConfig())
    return path


def assert_same(left: ImageSet, right: ImageSet) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for name in CHANNELS:
        assert (left.images.channel(name) != right.images.channel(name)).nnz == 0


def test_columns_are_those_of_the_contract(image_file: Path) -> None:
    schema = pq.read_schema(image_file)
    types = {field.name: field.type for field in schema}
    assert types == {field.name: field.type for field in SCHEMA}
    assert pq.ParquetFile(image_file).metadata.row_group(0).column(0).compression == "ZSTD"
    for row in pq.read_table(image_file).to_pylist():
        for name in CHANNELS:
            bins, e_t = row[f"{name}_bin"], row[f"{name}_et"]
            assert len(bins) == len(e_t)
            assert bins == sorted(set(bins))
            assert not bins or bins[-1] < GRIDS[name].n_pixels
            assert all(value > 0 for value in e_t)
        assert row["ht"] > 500
        assert (row["label"], row["mass"]) == (1, 1000.0)


def test_a_file_that_is_older_than_a_column_has_zeros_there(image_file: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.parquet"
    pq.write_table(pq.read_table(image_file).drop_columns("n_vertices"), old)
    zeros = np.zeros_like(read_image_file(old).entry, dtype=np.uint32)
    assert_same(read_image_file(old), replace(read_image_file(image_file), n_vertices=zeros))
    broken = pq.read_table(image_file)
    index = broken.schema.get_field_index("n_vertices")
    pq.write_table(broken.set_column(index, "n_vertices", broken["ht"]), old)
    with pytest.raises(UnreadableFileError, match="column n_vertices is float"):
        read_image_file(old)


def test_metadata_tells_what_was_read(image_file: Path) -> None:
    metadata = read_metadata(image_file)
    assert (metadata.tree_entries, metadata.events_read) == (68, 68)
    assert metadata.events_selected == pq.ParquetFile(image_file).metadata.num_rows
    assert metadata.sum_of_weights_read == 68.0
    assert metadata.process == "suep"
    assert metadata.label_names[1] == "SUEP"
    assert metadata.selection == Selection(ht_min=500.0)
    assert metadata.source_files[0].fingerprint == metadata.source_files[1].fingerprint
    raw = pq.read_schema(image_file).metadata[b"darktrigger"]
    assert {"process", "source_files", "branches", "versions", "grid"} <= set(json.loads(raw))


@pytest.mark.parametrize("batch_size", [1, 7, 10_000])
def test_batches_are_the_whole(image_file: Path, batch_size: int) -> None:
    whole = read_image_file(image_file)
    batches = list(iterate_image_file(image_file, batch_size))
    assert all(len(batch) <= batch_size for batch in batches)
    start = 0
    for batch in batches:
        assert_same(batch, whole[start : start + len(batch)])
        start += len(batch)
    assert start == len(whole)


def test_chunk_size_does_not_change_the_content(data: Path, tmp_path: Path) -> None:
    for name, step_size in (("small", "20 kB"), ("large", "1 GB")):
        convert([str(data / "qcd.root")], tmp_path / name, Sample(), ImagingConfig(step_size=step_size))
    assert pq.ParquetFile(tmp_path / "small").num_row_groups > 1
    assert_same(read_image_file(tmp_path / "small"), read_image_file(tmp_path / "large"))


def test_several_files_keep_their_order(image_file: Path) -> None:
    whole = read_image_file(image_file)
    twice = read_image_files([image_file, image_file])
    assert_same(twice[: len(whole)], whole)
    assert_same(twice[len(whole) :], whole)
    assert len(read_image_files([])) == 0


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_image_file(path)
    path.write_text("text")
    with pytest.raises(UnreadableFileError, match="cannot be read as Parquet"):
        read_image_file(path)
    pq.write_table(pa.table({"ht": [1.0]}), path)
    with pytest.raises(UnreadableFileError, match=r"columns trk_bin, .* are missing"):
        read_image_file(path)
    table = SCHEMA.empty_table()
    pq.write_table(table.set_column(6, "n_tracks", pa.array([], pa.float64())), path)
    with pytest.raises(UnreadableFileError, match="n_tracks is double, not uint32"):
        read_image_file(path)
    pq.write_table(table, path)
    with pytest.raises(UnreadableFileError, match="no darktrigger metadata"):
        read_metadata(path)


@pytest.mark.parametrize(
    ("column", "values", "cause"),
    [
        ("trk_bin", [[102_960]], "trk_bin holds pixel 102960"),
        ("hcal_bin", [[4176]], "hcal_bin holds pixel 4176"),
        ("ecal_et", [[float("nan")]], "ecal_et holds a value that is not finite"),
        ("ecal_et", [[1.0, 2.0]], "ecal_bin and ecal_et differ in length"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, column: str, values: list[list[float]], cause: str) -> None:
    row: dict[str, Sequence[object]] = {f"{name}_{what}": [[1]] for name in CHANNELS for what in ("bin", "et")}
    row |= {name: [1] for name in COLUMNS} | {column: values}
    pq.write_table(pa.table(row, schema=SCHEMA), tmp_path / "f.parquet")
    with pytest.raises(BadValueError, match=cause):
        read_image_file(tmp_path / "f.parquet")


def spoilt(image_file: Path, path: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """The file with the first event's value of one column changed."""
    table = pq.read_table(image_file)
    values = table[name].to_pylist()
    values[0] = change(values[0])
    column = pa.array(values, type=SCHEMA.field(name).type)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path, store_schema=False)
    return path


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("trk_bin", lambda bins: bins[::-1], "trk_bin holds pixels that are not ascending"),
        ("ecal_bin", lambda bins: [bins[0], *bins[:-1]], "ecal_bin holds pixels that are not ascending or not unique"),
        ("hcal_bin", lambda bins: [*bins[:-1], None], "hcal_bin holds a null"),
        ("hcal_bin", lambda _: None, "hcal_bin holds a null"),
        ("trk_et", lambda e_t: [float("nan"), *e_t[1:]], "trk_et holds a value that is not finite"),
        ("trk_et", lambda e_t: e_t[1:], "differ in length"),
        ("weight", lambda _: float("inf"), "weight holds inf"),
        ("ht", lambda _: float("nan"), "ht holds nan"),
        ("mass", lambda _: float("nan"), "mass holds nan"),
        ("label", lambda _: None, "label holds a null"),
        ("entry", lambda _: None, "entry holds a null"),
    ],
)
def test_values_that_no_image_file_of_ours_holds(
    image_file: Path, tmp_path: Path, name: str, change: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(BadValueError, match=message):
        read_image_file(spoilt(image_file, tmp_path / "bad.parquet", name, change))


def test_events_without_pixels_are_no_disorder(image_file: Path, tmp_path: Path) -> None:
    path = image_file
    for name in ("trk_bin", "trk_et"):
        path = spoilt(path, tmp_path / f"{name}.parquet", name, lambda _: [])
    assert read_image_file(path).images.trk[[0]].nnz == 0


def test_damaged_pages_in_the_display(image_file: Path, tmp_path: Path) -> None:
    content = bytearray(image_file.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content[len(content) // 3 : len(content) // 2]))
    (tmp_path / "bad.parquet").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"bad\.parquet: is damaged"):
        load_event(str(tmp_path / "bad.parquet"), 0, ImagingConfig())
