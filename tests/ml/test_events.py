import numpy as np
import pytest

from darktrigger.errors import TrainingError
from ml.events import BackgroundOnly, Contaminated, Labelled, class_weights

LABELS = np.array([0] * 60 + [1] * 30 + [2] * 10, dtype=np.uint8)


def test_background_uses_and_splits_everything() -> None:
    label_N = np.zeros(20, dtype=np.uint8)
    assert np.array_equal(BackgroundOnly().choose(label_N, 1), np.arange(20))
    training, validation = BackgroundOnly().split(label_N, 0.25, 1)
    assert sorted([*training, *validation]) == list(range(20))
    assert len(validation) == 5


def test_labelled_splits_each_label() -> None:
    training, validation = Labelled().split(LABELS, 0.2, 3)
    assert sorted([*training, *validation]) == list(range(100))
    assert np.bincount(LABELS[validation]).tolist() == [12, 6, 2]
    assert np.all(np.diff(training) > 0)


@pytest.mark.parametrize(("label", "found"), [(0, "label 0 alone"), (1, "label 1 alone")])
def test_labelled_needs_both_classes(label: int, found: str) -> None:
    with pytest.raises(TrainingError, match=f"background .* and signal; found {found}"):
        Labelled().choose(np.full(9, label, dtype=np.uint8), 1)


def test_labelled_names_the_label_that_has_too_few_events() -> None:
    with pytest.raises(TrainingError, match="label 2: 1 events cannot be split"):
        Labelled().split(np.array([0, 0, 0, 0, 2], dtype=np.uint8), 0.25, 1)


@pytest.mark.parametrize(("fraction", "wanted"), [(1e-4, 1), (0.1, 6), (0.5, 30)])
def test_contamination_takes_its_fraction_of_the_background(fraction: float, wanted: int) -> None:
    rows = Contaminated(fraction).choose(LABELS, 5)
    assert (LABELS[rows] == 0).sum() == 60
    assert (LABELS[rows] > 0).sum() == wanted
    assert np.all(np.diff(rows) > 0)
    assert np.array_equal(rows, Contaminated(fraction).choose(LABELS, 5))


def test_contamination_depends_on_the_seed_and_draws_from_all_signals() -> None:
    drawn = [Contaminated(0.2).choose(LABELS, seed)[60:] for seed in range(20)]
    assert len({tuple(rows) for rows in drawn}) == 20
    assert set(LABELS[np.concatenate(drawn)]) == {1, 2}


def test_contamination_trains_on_its_signal_and_validates_on_background() -> None:
    label_N = LABELS[Contaminated(0.1).choose(LABELS, 5)]
    training, validation = Contaminated(0.1).split(label_N, 0.25, 5)
    assert (label_N[validation] == 0).all()
    assert (label_N[training] > 0).sum() == 6
    assert sorted([*training, *validation]) == list(range(66))


def test_contamination_without_enough_signal() -> None:
    with pytest.raises(TrainingError, match="expected 30 signal events or more for 60 of background, found 10"):
        Contaminated(0.5).choose(LABELS[[*range(60), *range(90, 100)]], 1)
    with pytest.raises(TrainingError, match="found 0"):
        Contaminated(1e-4).choose(LABELS[:60], 1)


def test_class_weights_balance_background_with_signals_and_signals_among_themselves() -> None:
    weight_L = class_weights(LABELS)
    total = np.bincount(LABELS, weights=weight_L[LABELS])
    np.testing.assert_allclose(total, [50, 25, 25], rtol=1e-6)
    assert weight_L[LABELS].mean() == pytest.approx(1, rel=1e-6)


def test_class_weights_of_labels_with_a_gap() -> None:
    weight_L = class_weights(np.array([0, 0, 3]))
    np.testing.assert_allclose(weight_L, [0.75, 0, 0, 1.5])
