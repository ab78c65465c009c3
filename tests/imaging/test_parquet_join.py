"""Parquet files joined without a look into them: the same, byte by byte, as one that is written at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darktrigger.config import StrictModel
from darktrigger.errors import UnreadableFileError
from imaging.parquet_file import METADATA_KEY, write_parquet
from imaging.parquet_join import join_parquet

SCHEMA = pa.schema([("trk_bin", pa.list_(pa.uint32())), ("ht", pa.float32()), ("entry", pa.uint64())])


class Note(StrictModel):
    text: str


def table(n_rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    lists = [np.sort(rng.choice(10_000, rng.integers(0, 30), replace=False)) for _ in range(n_rows)]
    columns = [pa.array(lists, SCHEMA.field("trk_bin").type), pa.array(rng.random(n_rows, np.float32))]
    return pa.Table.from_arrays([*columns, pa.array(np.arange(n_rows, dtype=np.uint64))], schema=SCHEMA)


def write(path: Path, tables: list[pa.Table], note: str) -> None:
    with write_parquet(path, SCHEMA, ["trk_bin"], lambda rows: rows) as writer:
        for rows in tables:
            writer.write_table(rows)
        writer.write_metadata(Note(text=note))


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.lists(st.integers(0, 60), max_size=4), min_size=1, max_size=5))
def test_joined_as_if_written_at_once(parts: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("join")
    tables = [[table(n, seed=17 * i + j) for j, n in enumerate(part)] for i, part in enumerate(parts)]
    write(folder / "once.parquet", [rows for part in tables for rows in part], "all")
    with join_parquet(folder / "joined.parquet") as joiner:
        for i, part in enumerate(tables):
            write(folder / f"{i}.parquet", part, f"part {i}")
            joiner.append(folder / f"{i}.parquet")
        joiner.write_metadata(Note(text="all"))
    assert (folder / "joined.parquet").read_bytes() == (folder / "once.parquet").read_bytes()


def test_what_arrow_adds_is_kept(tmp_path: Path) -> None:
    """Offsets of page indices move along, bloom filters and the schema stay."""
    tables = [pa.table({"n": np.arange(start, start + 1000)}) for start in (0, 1000)]
    for i, rows in enumerate(tables):
        pq.write_table(rows, tmp_path / f"{i}.parquet", write_page_index=True, row_group_size=300)
    with join_parquet(tmp_path / "joined.parquet") as joiner:
        for i in range(2):
            joiner.append(tmp_path / f"{i}.parquet")
        joiner.write_metadata(Note(text="both"))
    file = pq.ParquetFile(tmp_path / "joined.parquet", page_checksum_verification=True)
    assert file.read().equals(pa.concat_tables(tables))
    assert file.metadata.row_group(5).column(0).has_offset_index
    assert set(file.metadata.metadata) == {METADATA_KEY, b"ARROW:schema"}


@pytest.mark.parametrize("keep", [0, 3, 11, 200, -1])
def test_half_a_part_is_no_part(keep: int, tmp_path: Path) -> None:
    write(tmp_path / "part.parquet", [table(5, seed=1)], "part")
    content = (tmp_path / "part.parquet").read_bytes()
    (tmp_path / "part.parquet").write_bytes(content[:keep])
    with (
        pytest.raises(UnreadableFileError, match=r"part\.parquet: is not a whole Parquet file"),
        join_parquet(tmp_path / "joined.parquet") as joiner,
    ):
        joiner.append(tmp_path / "part.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_nothing_to_join(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to join"), join_parquet(tmp_path / "joined.parquet"):
        pass
    assert not list(tmp_path.iterdir())
