"""Scores compared with each other, and compressed models with their reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.evaluation.comparison import compare, comparison_csv, comparison_markdown
from analysis.evaluation.compression import auroc_change, measure_latency
from analysis.evaluation.config import DominanceConfig
from analysis.evaluation.rows import Benchmark, Column, Row
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.trigger import Direction, Trigger
from imaging.image_file import read_image_file

SUEP = Key(1, 400.0)
BENCHMARKS = {SUEP: Benchmark("SUEP", 400.0)}
CONFIG = DominanceConfig(subsets=60, bootstraps=50, subset_events=200)


def score(shift: float, seed: int, n: int = 400) -> dict[Key, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {SUEP: rng.normal(shift, 1, n), BACKGROUND: rng.normal(0, 1, 2 * n)}


def transposed(columns: dict[Column, dict[Key, np.ndarray]]) -> dict[Key, dict[Column, np.ndarray]]:
    return {key: {column: values[key] for column, values in columns.items()} for key in (BACKGROUND, SUEP)}


def row(model: str, name: str, *paths: str) -> Row:
    return Row(model, model, name, Direction.HIGHER, tuple(Column(path, name) for path in paths))


def test_better_scores_win(make_samples: Callable[..., dict[Key, Sample]]) -> None:
    rows = [row("good", "s", "a"), row("bad", "s", "b"), row("", "n_tracks", ""), row("", "hcal_cells", "")]
    unknown = {key: np.full(len(values), np.nan) for key, values in score(0, 0).items()}
    columns = dict(zip((r.columns[0] for r in rows), (score(2, 1), score(0.3, 2), score(1, 3), unknown), strict=True))
    found = compare(rows, make_samples(transposed(columns)), BENCHMARKS, CONFIG, seed=1)
    limits = {(c.row.name, c.other.name): c.epsilon_min[BENCHMARKS[SUEP]] for c in found}
    assert limits == {
        ("good: s", "bad: s"): 0,
        ("bad: s", "good: s"): 1,
        ("good: s", "n_tracks"): 0,
        ("bad: s", "n_tracks"): 1,
        ("good: s", "hcal_cells"): None,
        ("bad: s", "hcal_cells"): None,
    }
    assert "good,s,bad,s,0" in comparison_csv(found)
    assert "| n_tracks | 1.00 |" in comparison_markdown(found, CONFIG)
    again = compare(rows, make_samples(transposed(columns)), BENCHMARKS, CONFIG, seed=1)
    assert again == found


def test_seeds_share_the_subsets(make_samples: Callable[..., dict[Key, Sample]]) -> None:
    """A model whose seeds are good and bad is neither above nor below one in between."""
    rows = [row("mixed", "s", "a", "b"), row("middle", "s", "c")]
    columns = dict(zip([*rows[0].columns, *rows[1].columns], (score(2, 1), score(0, 2), score(0.8, 3)), strict=True))
    found = compare(rows, make_samples(transposed(columns)), BENCHMARKS, CONFIG, seed=1)
    limits = [c.epsilon_min[BENCHMARKS[SUEP]] for c in found]
    assert all(limit is not None and 0.2 < limit < 0.95 for limit in limits)


def test_change_in_auroc_is_paired(make_samples: Callable[..., dict[Key, Sample]]) -> None:
    old, new, same = Column("old", "s"), Column("new", "s"), Column("same", "s")
    values = score(1, 1)
    noise = {key: item + np.random.default_rng(2).normal(0, 0.3, len(item)) for key, item in values.items()}
    monotone = {key: np.exp(item) for key, item in values.items()}
    samples = make_samples(transposed({old: values, new: noise, same: monotone}))
    unchanged = auroc_change(samples, [SUEP], same, old)
    assert unchanged is not None
    assert (unchanged.value, unchanged.uncertainty) == pytest.approx((0, 0), abs=1e-9)

    def area(columns: dict[Key, np.ndarray], rows: tuple[np.ndarray, ...]) -> float:
        return float((columns[SUEP][rows[0]][:, None] > columns[BACKGROUND][rows[1]]).mean())

    rng = np.random.default_rng(3)
    draws = [(rng.integers(400, size=400), rng.integers(800, size=800)) for _ in range(300)]
    resampled = [100 * (area(noise, rows) - area(values, rows)) for rows in draws]
    change = auroc_change(samples, [SUEP], new, old)
    assert change is not None
    everything = np.arange(400), np.arange(800)
    assert change.value == pytest.approx(100 * (area(noise, everything) - area(values, everything)), abs=1e-4)
    assert change.uncertainty == pytest.approx(np.std(resampled), rel=0.15)


def test_change_of_the_mean_over_masses(make_samples: Callable[..., dict[Key, Sample]]) -> None:
    old, new = Column("old", "s"), Column("new", "s")
    heavy = Key(1, 1000.0)
    rng = np.random.default_rng(4)
    scores = {
        key: {column: rng.normal(shift, 1, 300) for column in (old, new)}
        for key, shift in ((BACKGROUND, 0.0), (SUEP, 1.0), (heavy, 2.0))
    }
    samples = make_samples(scores)
    single = [auroc_change(samples, [key], new, old) for key in (SUEP, heavy)]
    both = auroc_change(samples, [SUEP, heavy], new, old)
    assert both is not None
    assert both.value == pytest.approx(np.mean([item.value for item in single if item]))
    first, second = (item.uncertainty for item in single if item and item.uncertainty)
    assert np.hypot(first, second) / 2 < (both.uncertainty or 0) < np.mean([first, second])
    assert (
        auroc_change(
            make_samples({key: {c: v[:1] for c, v in x.items()} for key, x in scores.items()}), [SUEP], new, old
        )
        is None
    )


def test_latency_of_models_in_turn(make_model: Callable[..., Path], images: dict[str, Path]) -> None:
    triggers = [
        Trigger(make_model(name, {"event_shape": shape}, input={"kind": kind}))
        for name, kind, shape in (("small", "coarse mask", (1, 72, 58)), ("large", "fine", (3, 288, 360)))
    ]
    found = measure_latency(triggers, read_image_file(images["qcd"])[:3], calls=20)
    small, large = (found[trigger.path] for trigger in triggers)
    assert small.calls == large.calls == 20
    assert 0 < small.median <= small.percentile_99
    assert small.median < large.median
