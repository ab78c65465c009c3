"""Samples of several processes, and what their events count."""

import re

import pytest

from darktrigger.errors import ConfigError
from imaging.composition import BackgroundSample, SumOfWeights, weight_factors

FILES = {"a/w1.parquet": SumOfWeights(40.0, 100.0), "w2.parquet": SumOfWeights(20.0, 50.0)}
TOPS = {"tt.parquet": SumOfWeights(30.0, 120.0)}


def samples(**given: float) -> tuple[BackgroundSample, ...]:
    (kind,) = {name.partition("_of_")[0] for name in given}
    return tuple(
        BackgroundSample.model_validate({"files": f"{name.partition('_of_')[2]}*.parquet", kind: value})
        for name, value in given.items()
    )


def test_files_of_one_sample_count_together() -> None:
    found = weight_factors(samples(share_of_w=0.9, share_of_tt=0.1), FILES | TOPS)
    assert found == pytest.approx({"a/w1.parquet": 0.9 / 60, "w2.parquet": 0.9 / 60, "tt.parquet": 0.1 / 30})
    found = weight_factors(samples(cross_section_of_w=300.0, cross_section_of_tt=6.0), FILES | TOPS)
    assert found == pytest.approx({"a/w1.parquet": 2.0, "w2.parquet": 2.0, "tt.parquet": 0.05})


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["w*.parquet"], r"tt.parquet must be of one sample (of 'w*.parquet'); found none"),
        (["w*.parquet", "*.parquet"], "a/w1.parquet must be of one sample (of 'w*.parquet', '*.parquet'); found 'w"),
        (["w*.parquet", "tt.parquet", "z*"], "no file with background is named 'z*'"),
    ],
)
def test_samples_that_do_not_fit_the_files(patterns: list[str], message: str) -> None:
    wanted = [BackgroundSample(files=pattern, share=1) for pattern in patterns]
    with pytest.raises(ConfigError, match=re.escape(message)):
        weight_factors(wanted, FILES | TOPS)


def test_weights_without_a_sum() -> None:
    unknown = {"w.h5": SumOfWeights(3.0, None)}
    assert weight_factors([BackgroundSample(files="w.h5", share=6)], unknown) == {"w.h5": 2.0}
    with pytest.raises(ConfigError, match=r"w.h5: does not tell how many events were generated; give shares"):
        weight_factors([BackgroundSample(files="w.h5", cross_section=6)], unknown)
    with pytest.raises(ConfigError, match=r"the weights of 'w.h5' sum to -1, expected more than 0"):
        weight_factors([BackgroundSample(files="w.h5", share=6)], {"w.h5": SumOfWeights(-1.0, None)})
