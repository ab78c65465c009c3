"""What is particular to accelerators; the trainings of the other tests run on one where there is one."""

from pathlib import Path

import numpy as np
import torch

from ml.data import PlainBatches, load_background
from ml.devices import evaluation_batch, loaded


def test_batches_of_a_process_beside_are_the_same_in_the_same_order(background: Path) -> None:
    data = load_background([background], "coarse mask")
    batches = PlainBatches(data, np.arange(len(data)), batch_size=16)
    # Any device but the CPU; nothing is put there.
    found = list(loaded(batches, torch.device("meta")))
    assert len(found) == len(batches) > 2
    assert all(torch.equal(one, other) for one, other in zip(found, batches, strict=True))


def test_a_cpu_takes_the_batches_as_they_are() -> None:
    batches = [torch.zeros(1)]
    assert loaded(batches, torch.device("cpu")) is batches
    assert evaluation_batch(torch.device("cpu")) < evaluation_batch(torch.device("cuda"))
