import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from darktrigger.errors import TrainingError
from imaging.dense import model_input
from imaging.image_file import read_image_file
from imaging.split import EntrySplit
from ml.data import PlainBatches, TrainingBatches, labelled, load_background, load_images
from ml.events import Contaminated, Labelled, split


@pytest.mark.parametrize("kind", ["coarse mask", "coarse E_T", "fine"])
def test_dense_batches_are_the_model_input(background: Path, kind: str) -> None:
    data = load_background([background], kind)
    rows = np.array([5, 0, 17])
    expected = model_input(read_image_file(background).images[rows], kind)
    np.testing.assert_array_equal(data.dense(rows), expected)


def test_signal_is_refused(background: Path, signal: Path) -> None:
    with pytest.raises(TrainingError, match=rf"{re.escape(str(signal))}: labels 2 found"):
        load_background([background, signal], "coarse mask")


def test_entries_are_honoured(background: Path) -> None:
    entry = read_image_file(background).entry
    kept = load_background([background], "coarse mask", EntrySplit(modulo=3, keep=(1,)))
    assert len(kept) == (entry % 3 == 1).sum()


def test_no_event_left(background: Path) -> None:
    beyond = int(read_image_file(background).entry.max()) + 1
    with pytest.raises(TrainingError, match="no event to train on"):
        load_background([background], "coarse mask", EntrySplit(modulo=beyond + 1, keep=(beyond,)))


def test_split_is_a_partition_fixed_by_the_seed() -> None:
    training, validation = split(100, 0.2, seed=1)
    assert sorted([*training, *validation]) == list(range(100))
    assert len(validation) == 20
    assert np.array_equal(validation, split(100, 0.2, seed=1)[1])
    assert not np.array_equal(validation, split(100, 0.2, seed=2)[1])


def test_too_few_events_to_split() -> None:
    with pytest.raises(TrainingError, match="1 events cannot be split"):
        split(1, 0.1, seed=1)


def test_batches_are_functions_of_seed_epoch_and_index(background: Path) -> None:
    data = load_background([background], "coarse mask")
    rows = np.arange(30)

    def batch(seed: int, epoch: int, index: int) -> Tensor:
        return TrainingBatches(data, rows, batch_size=8, seed=seed, epoch=epoch)[index]

    assert torch.equal(batch(1, 2, 3), batch(1, 2, 3))
    assert not torch.equal(batch(1, 2, 0), batch(1, 3, 0))
    assert not torch.equal(batch(1, 2, 0), batch(2, 2, 0))


def test_an_epoch_shows_every_event_once(background: Path) -> None:
    data = load_background([background], "coarse mask")
    batches = TrainingBatches(data, np.arange(30), batch_size=8, seed=1, epoch=0)
    assert [len(batch) for batch in iter(batches)] == [8, 8, 8, 6]
    shown = torch.cat(list(iter(batches))).sum((1, 2, 3)).sort().values
    kept = torch.cat(list(PlainBatches(data, np.arange(30), batch_size=8))).sum((1, 2, 3)).sort().values
    assert torch.equal(shown, kept)


def test_fine_batches_are_sparse_and_the_same(background: Path) -> None:
    data = load_background([background], "fine")
    rows = np.array([5, 0, 17])
    sparse = data.sparse(rows)
    assert sparse.is_sparse
    assert torch.equal(sparse.to_dense(), data.dense(rows))
    batch = TrainingBatches(data, rows, batch_size=3, seed=1, epoch=0, augmentation=False)[0]
    assert batch.is_sparse
    assert batch.to_dense().sum().item() == pytest.approx(data.dense(rows).sum().item(), rel=1e-5)


def test_memory_holds_the_hcal_on_its_own_grid(background: Path) -> None:
    data = load_background([background], "fine")
    assert data.pixels.nnz < 0.4 * (data.dense(np.arange(len(data))) != 0).sum()


def test_augmentation_can_be_switched_off(background: Path) -> None:
    data = load_background([background], "coarse mask")
    rows = np.arange(8)
    plain = TrainingBatches(data, rows, batch_size=8, seed=1, epoch=0, augmentation=False)
    expected = data.dense(plain.batches[0])
    assert torch.equal(plain[0], expected)
    assert not torch.equal(TrainingBatches(data, rows, batch_size=8, seed=1, epoch=0)[0], expected)


def test_labels_travel_with_their_events(background: Path, signal: Path) -> None:
    data = load_images([background, signal], "coarse E_T", None, Labelled())
    rows = np.array([0, len(data) - 1, 1, len(data) - 2])
    batches = labelled(TrainingBatches(data, rows, batch_size=4, seed=1, epoch=0, augmentation=False))
    (batch,) = (batches[index] for index in range(len(batches)))
    assert sorted(batch.label.tolist()) == [0, 0, 2, 2]
    for image_CHW, label in zip(batch.image, batch.label, strict=True):
        (row,) = [row for row in rows if torch.equal(data.dense(np.array([row]))[0], image_CHW)]
        assert data.label[row] == label


def test_contaminated_data(background: Path, signal: Path) -> None:
    data = load_images([background, signal], "coarse mask", None, Contaminated(0.1), seed=3)
    events = data.events_by_label
    assert events[2] == round(0.1 * events[0])
    assert len(data) == sum(events.values())
    again = load_images([background, signal], "coarse mask", None, Contaminated(0.1), seed=3)
    assert (again.pixels != data.pixels).nnz == 0
