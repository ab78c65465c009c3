"""A warning where a model is judged by the events that it has learnt from."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.decorrelate import decorrelate
from analysis.estimation.config import DecorrelateConfig
from analysis.evaluate import evaluate
from analysis.evaluation.config import DominanceConfig, EvaluationConfig
from analysis.training_events import warn_of_training_events
from analysis.trigger import Trigger
from darktrigger.errors import ConfigError
from darktrigger.files import fingerprint
from imaging.split import EntrySplit

ODD, EVEN = EntrySplit(modulo=2, keep=(1,)), EntrySplit(modulo=2, keep=(0,))


@pytest.fixture
def trained(make_model: Callable[..., Path], images: list[str]) -> Callable[..., Trigger]:
    """A model that trained on every other background event."""

    def make(**record: Any) -> Trigger:
        training = {"files": {"elsewhere.parquet": fingerprint(images[0])}, "entries": EVEN.model_dump(mode="json")}
        return Trigger(make_model("trained", training=training | record))

    return make


def test_events_of_the_training(
    trained: Callable[..., Trigger], images: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    trigger = trained()
    warn_of_training_events([trigger], images, [ODD])
    warn_of_training_events([trigger], images[1:], [EVEN])
    assert not caplog.records
    warn_of_training_events([trigger], images, [EntrySplit()])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{trigger.path} trained on events of {images[0]} that are used here (entries 2:0)" in record.message


def test_a_supervised_model_has_seen_signal(
    trained: Callable[..., Trigger], images: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    trigger = trained(labels={"0": 10, "2": 5})
    warn_of_training_events([trigger], images, [EntrySplit(), ODD])
    assert not caplog.records
    warn_of_training_events([trigger], images, [EntrySplit(), EntrySplit()])
    assert len(caplog.records) == 1


def test_what_the_first_weights_learnt_from_counts(
    make_model: Callable[..., Path], images: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = {"files": {"elsewhere.parquet": fingerprint(images[0])}, "entries": EVEN.model_dump(mode="json")}
    trigger = Trigger(make_model("tuned", training={"files": {}, "pretrained": {"files": {}, "pretrained": first}}))
    warn_of_training_events([trigger], images, [ODD])
    assert not caplog.records
    warn_of_training_events([trigger], images, [EVEN])
    (record,) = caplog.records
    assert f"{trigger.path} trained on events of {images[0]}" in record.message


@pytest.mark.parametrize(
    "record", [{"files": None}, {"files": ["a"]}, {"entries": {"modulo": 0}}, {"entries": "2:1"}, {"files": {}}]
)
def test_metadata_of_other_makers(
    record: dict[str, Any], trained: Callable[..., Trigger], images: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_training_events([trained(**record)], images, [EntrySplit()])
    assert not caplog.records


def test_commands_warn(
    trained: Callable[..., Trigger], images: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trigger = trained()
    config = DecorrelateConfig(background_entries=ODD, weights="unit")
    decorrelate(trigger, ("pixel_sum", "forward"), images, tmp_path / "new.onnx", config)
    assert not caplog.records
    decorrelate(trigger, ("pixel_sum", "forward"), images, tmp_path / "flattered.onnx")
    assert "trained on events" in caplog.text
    caplog.clear()
    new = Trigger(tmp_path / "new.onnx")
    settings = {"dominance": DominanceConfig(subsets=2, subset_events=4, bootstraps=10), "batch_size": 8}
    evaluate([new], images, tmp_path / "out", EvaluationConfig(background_entries=ODD, **settings))
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"learnt its rarities on events of {images[0]} that are used here (entries 2:1)" in record.message


def test_the_model_itself_is_not_overwritten(trained: Callable[..., Trigger], images: list[str]) -> None:
    trigger = trained()
    before = fingerprint(trigger.path)
    with pytest.raises(ConfigError, match="is the model itself"):
        decorrelate(trigger, ("pixel_sum", "forward"), images, Path(trigger.path))
    assert fingerprint(trigger.path) == before
