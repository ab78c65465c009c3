"""Independent random numbers for each purpose, from one seed."""

from __future__ import annotations

import numpy as np
import torch


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Independent random numbers for each purpose, epoch and batch: nothing to save, nothing to restore."""
    words = [seed]
    for part in path:
        words += part.encode() if isinstance(part, str) else [part]
    return np.random.default_rng(words)


def torch_stream(seed: int, *path: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """:func:`stream` for torch, on a device, each kind of which has numbers of its own."""
    return torch.Generator(device).manual_seed(int(stream(seed, *path).integers(2**63)))
