"""Splitting of batches, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def micro_batches(batch: Tensor, size: int) -> Sequence[Tensor]:
    """Split along the first axis into parts that differ by at most one event, none larger than ``size``.

    Even parts, since a single event left over would be a poor base for statistics.
    """
    n_parts = -(-len(batch) // size)
    if not batch.is_sparse:
        return torch.tensor_split(batch, n_parts)
    batch = batch.coalesce()
    index, values = batch.indices(), batch.values()
    # Coalesced, the pixels lie in the order of their events: a part is a slice.
    first = [int(part[0]) for part in torch.tensor_split(torch.arange(len(batch)), n_parts)] + [len(batch)]
    offset = torch.searchsorted(index[0].contiguous(), torch.tensor(first, device=index.device)).tolist()
    parts = []
    for (event, next_event), (start, stop) in zip(pairwise(first), pairwise(offset), strict=True):
        part = index[:, start:stop].clone()
        part[0] -= event
        shape = (next_event - event, *batch.shape[1:])
        parts.append(torch.sparse_coo_tensor(part, values[start:stop], shape, check_invariants=True))
    return parts
