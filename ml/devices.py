"""What a training or an evaluation runs on."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

#: Batches that a loading process keeps ready.
_AHEAD = 8


class Indexed(Protocol):
    """Batches that are made when asked for."""

    def __len__(self) -> int:
        """Number of batches."""

    def __getitem__(self, index: int, /) -> Any:
        """One batch.

        Raises
        ------
        IndexError
            There is none.
        """


def accelerator() -> torch.device:
    """The accelerator that torch finds, else the CPU."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if found is None else found


def evaluation_batch(device: torch.device) -> int:
    """Events in a batch where nothing is trained: few on a CPU, so that the batch stays in the cache."""
    return 16 if device.type == "cpu" else 512


def loaded(batches: Indexed, device: torch.device) -> Any:
    """The same batches in the same order; for an accelerator, made by a process beside while it computes."""
    if device.type == "cpu":
        return batches
    dataset: Dataset[Any] = batches  # type: ignore[assignment]
    return DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=_AHEAD, pin_memory=device.type == "cuda")
