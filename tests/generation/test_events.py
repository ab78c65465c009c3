"""Flat events."""

from collections.abc import Callable

import numpy as np
import pytest

from generation.events import GenEvents, concatenate_events, sum_per_event


@pytest.fixture
def events(make_events: Callable[..., GenEvents]) -> GenEvents:
    return make_events([(22, 1.0, 0.0, 0.0)], [], [(211, 2.0, 0.0, 0.0), (-211, 3.0, 0.0, 0.0)])


def test_selection_by_slice_mask_and_index(events: GenEvents) -> None:
    assert len(events) == 3
    for selection in (slice(2, None), np.array([False, False, True]), np.array([2]), [2]):
        chosen = events[selection]
        assert chosen.pid.tolist() == [211, -211]
        assert chosen.number.tolist() == [2]
        assert chosen.offsets.tolist() == [0, 2]
    assert events[np.array([2, 0, 2])].pid.tolist() == [211, -211, 22, 211, -211]


def test_concatenation_undoes_slicing(events: GenEvents) -> None:
    joined = concatenate_events([events[:1], events[1:1], events[1:]])
    for name in ("offsets", "pid", "px", "e", "weight", "number"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(events, name))


def test_inconsistent_columns_are_refused(events: GenEvents) -> None:
    columns = {name: getattr(events, name) for name in events.__dataclass_fields__}
    with pytest.raises(ValueError, match="px has 1 entries, expected 3"):
        type(events)(**(columns | {"px": events.px[:1]}))
    with pytest.raises(ValueError, match="no events"):
        concatenate_events([])


def test_sums(events: GenEvents) -> None:
    np.testing.assert_allclose(sum_per_event(events.px.astype(float), events.offsets), [1.0, 0.0, 5.0], atol=1e-6)
