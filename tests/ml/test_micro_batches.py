import pytest
import torch
from torch import Tensor

from ml.micro_batches import micro_batches


def batch(n: int) -> Tensor:
    dense = torch.rand(n, 2, 3, 4, generator=torch.Generator().manual_seed(n))
    return dense * (dense > 0.6)


@pytest.mark.parametrize(
    ("n", "size", "expected"), [(8, 4, [4, 4]), (9, 4, [3, 3, 3]), (5, 8, [5]), (7, 2, [2, 2, 2, 1])]
)
def test_parts_are_even_and_complete(n: int, size: int, expected: list[int]) -> None:
    parts = micro_batches(batch(n), size)
    assert [len(part) for part in parts] == expected
    assert torch.equal(torch.cat(list(parts)), batch(n))


@pytest.mark.parametrize(("n", "size"), [(8, 4), (9, 4), (7, 2), (3, 1)])
def test_sparse_parts_are_the_dense_ones(n: int, size: int) -> None:
    dense = batch(n)
    # An event without a pixel, and pixels in any order.
    dense[n // 2] = 0
    sparse = dense.to_sparse()
    order = torch.randperm(sparse.indices().shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = torch.sparse_coo_tensor(
        sparse.indices()[:, order], sparse.values()[order], dense.shape, check_invariants=True
    )
    for part, expected in zip(micro_batches(shuffled, size), micro_batches(dense, size), strict=True):
        assert torch.equal(part.to_dense(), expected)
