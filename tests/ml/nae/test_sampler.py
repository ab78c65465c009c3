import pytest
import torch
from torch import Tensor

from ml.models.nae import NAE, NAEConfig
from ml.nae.config import LatentChainConfig, NAETraining, PixelChainConfig, ReplayConfig
from ml.nae.sampler import Replay, draw
from ml.threads import thread_map

CONFIG = NAETraining(
    pretrained="nowhere",
    micro_batch=2,
    latent_chain=LatentChainConfig(steps=2),
    pixel_chain=PixelChainConfig(steps=2),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, first: float = 0.0) -> Tensor:
    return torch.arange(float(n))[:, None].expand(-1, 3) + first


def test_the_oldest_points_are_overwritten() -> None:
    replay = Replay(ReplayConfig(size=5), 3)
    replay.push(points(3))
    assert replay.filled == 3
    replay.push(points(4, 10))
    assert replay.filled == 5
    assert replay.points[:, 0].tolist() == [12, 13, 2, 10, 11]
    replay.push(points(12, 100))
    assert sorted(replay.points[:, 0].tolist()) == [107, 108, 109, 110, 111]


def test_starts_come_from_the_buffer_with_the_probability_asked_for() -> None:
    replay = Replay(ReplayConfig(size=4, probability=0.95), 3)
    torch.testing.assert_close(replay.starts(10, generator()).norm(dim=1), torch.ones(10))
    replay.push(points(4, 10))
    starts = replay.starts(20_000, generator())
    assert (starts[:, 0] > 2).float().mean() == pytest.approx(0.95, abs=0.006)
    fresh = starts[starts[:, 0] < 2]
    torch.testing.assert_close(fresh.norm(dim=1), torch.ones(len(fresh)))
    # Uniform on the sphere: every coordinate is uniform in [-1, 1].
    assert fresh[:, 0].var() == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("jumps", [0, 3])
def test_samples_depend_neither_on_threads_nor_on_what_ran_before(jumps: int) -> None:
    config = CONFIG.model_copy(update={"latent_chain": LatentChainConfig(steps=2, jumps=jumps)})
    model = NAE(NAEConfig(filters=2, units=4)).eval()
    model.reset_parameters(generator(3))
    one, other = Replay(config.replay, 3), Replay(config.replay, 3)
    alone = draw(model.eval(), 5, one, config, generator(), map)
    with thread_map(2) as each:
        together = draw(model, 5, other, config, generator(), each)
    for first, second in zip(alone, together, strict=True):
        assert torch.equal(first, second)
    assert torch.equal(one.points[:5], alone.latent)
    assert alone.image.shape == (5, 1, 40, 40)
    assert (alone.image >= 0).all()
