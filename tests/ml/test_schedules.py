"""The learning rate in the course of a training."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.nae.config import AutoencoderTraining
from ml.schedules import learning_rate
from ml.training_config import TrainingConfig


def test_a_warm_up_rises_in_equal_parts_to_the_rate_itself() -> None:
    config = TrainingConfig(learning_rate=0.5, warm_up=4)
    assert [learning_rate(config, step, 10) for step in range(6)] == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert AutoencoderTraining().warm_up > 0


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(0, 100), st.integers(0, 600))
def test_the_cosine_falls_from_the_rate_to_nothing(n_steps: int, warm_up: int, step: int) -> None:
    plain = TrainingConfig(schedule="cosine")
    assert learning_rate(plain, 0, n_steps) == plain.learning_rate
    assert learning_rate(plain, n_steps, n_steps) == pytest.approx(0)
    assert learning_rate(plain, step, n_steps) >= learning_rate(plain, step + 1, n_steps)
    warm = TrainingConfig(schedule="cosine", warm_up=warm_up)
    assert 0 <= learning_rate(warm, step, n_steps) <= learning_rate(plain, step, n_steps)
    if step >= warm_up:
        assert learning_rate(warm, step, n_steps) == learning_rate(plain, step, n_steps)
