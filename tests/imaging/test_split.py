import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darktrigger.config import validate
from darktrigger.errors import ConfigError
from imaging.split import EntrySplit


@given(st.integers(1, 7), st.integers(0, 50))
def test_complementary_splits_partition_the_entries(modulo: int, n_entries: int) -> None:
    entry = np.arange(n_entries, dtype=np.uint64)
    masks = [EntrySplit(modulo=modulo, keep=(remainder,)).mask(entry) for remainder in range(modulo)]
    np.testing.assert_array_equal(np.sum(masks, axis=0), np.ones(n_entries))


def test_scale_restores_the_sum_of_weights() -> None:
    split = EntrySplit(modulo=3, keep=(0, 2))
    assert split.mask(np.arange(300)).sum() * split.scale == 300


@pytest.mark.parametrize(
    "bad", [{"modulo": 0}, {"keep": []}, {"modulo": 2, "keep": [2]}, {"modulo": 3, "keep": [1, 1]}]
)
def test_impossible_splits_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        validate(EntrySplit, bad, "test")


def test_the_command_lines_form() -> None:
    assert EntrySplit.parse("3:0,2") == EntrySplit(modulo=3, keep=(0, 2))
    assert EntrySplit.parse("1:0") == EntrySplit()
    for bad in ("2", "2:2", "a:b", ""):
        with pytest.raises(ConfigError, match=f"entries '{bad}'"):
            EntrySplit.parse(bad)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_splits_that_share_entries(modulo: int, other: int, data: st.DataObject) -> None:
    keep = data.draw(st.sets(st.integers(0, modulo - 1), min_size=1))
    kept = data.draw(st.sets(st.integers(0, other - 1), min_size=1))
    first, second = EntrySplit(modulo=modulo, keep=tuple(keep)), EntrySplit(modulo=other, keep=tuple(kept))
    entry = np.arange(modulo * other)
    assert first.shares_entries(second) == (first.mask(entry) & second.mask(entry)).any()
    assert EntrySplit.parse(str(first)) == first
