"""Which model files belong together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.evaluation.models import group_models
from analysis.evaluation.rows import rows_of, slug
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError


def test_seeds_of_one_setup_are_one_model(make_model: Callable[..., Path]) -> None:
    paths = [make_model(f"m{seed}", seed=seed, config={"filters": 8}) for seed in (73, 42, 51)]
    other = make_model("wide", seed=42, config={"filters": 16})
    models = group_models([Trigger(path) for path in [paths[0], other, *paths[1:]]])
    assert [(model.name, model.seeds) for model in models] == [
        ("counting (m42)", (42, 51, 73)),
        ("counting (wide)", (42,)),
    ]
    rows = rows_of(models)
    assert rows[0].name == "counting (m42): pixel_sum (3 seeds)"
    assert [Path(column.path).stem for column in rows[0].columns] == ["m42", "m51", "m73"]
    assert rows[-1].name == "total_e_t_hcal"


@pytest.mark.parametrize(
    "changes",
    [({"seed": 1}, {"seed": 1}), ({}, {}), ({"seed": 1, "precision": "fp32"}, {"seed": 2, "precision": "fp16"})],
)
def test_what_differs_by_more_or_less_than_the_seed_stays_apart(
    changes: tuple[dict[str, object], ...], make_model: Callable[..., Path]
) -> None:
    # Different content: else they would be one file.
    paths = [make_model(f"m{i}", {"forward_columns": 5 + i}, **item) for i, item in enumerate(changes)]
    models = group_models([Trigger(path) for path in paths])
    assert [model.name for model in models] == ["counting (m0)", "counting (m1)"]


def test_directions_may_differ_between_seeds(make_model: Callable[..., Path]) -> None:
    scores = [{"forward": {"direction": direction}} for direction in ("lower", "higher")]
    paths = [make_model(f"m{i}", seed=i, scores=item) for i, item in enumerate(scores)]
    assert len(group_models([Trigger(path) for path in paths])) == 1


def test_the_same_file_twice_is_refused(make_model: Callable[..., Path]) -> None:
    first, again = make_model("first"), make_model("again")
    with pytest.raises(AnalysisError, match=r"again\.onnx: the same model as .*first\.onnx"):
        group_models([Trigger(first), Trigger(again)])


def test_families_get_plain_names(make_model: Callable[..., Path]) -> None:
    models = group_models([Trigger(make_model("a", family="codae")), Trigger(make_model("b", family="cae"))])
    assert [model.name for model in models] == ["codae", "cae"]


def test_slug() -> None:
    assert slug("codae (my file): sae_mask") == "codae_my_file_sae_mask"
