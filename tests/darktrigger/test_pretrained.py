"""Triggers that come with darktrigger."""

import json
from pathlib import Path

import pytest

from analysis.trigger import Trigger
from darktrigger.errors import ConfigError
from darktrigger.files import fingerprint
from darktrigger.pretrained import pretrained_models, trigger_path

MODELS = pretrained_models()


def test_there_are_some() -> None:
    assert "excess" in MODELS


@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract_and_its_card_is_of_it(name: str) -> None:
    trigger = Trigger(MODELS[name])
    card = json.loads(MODELS[name].with_suffix(".json").read_text())
    assert card["fingerprint"] == fingerprint(MODELS[name])
    assert card["scores"] == {score: {"direction": sign} for score, sign in trigger.directions.items()}
    assert set(trigger.directions) <= set(card["evaluation"]["auroc_percent"])
    assert MODELS[name].stat().st_size < 8e6


def test_name_or_path(tmp_path: Path) -> None:
    assert trigger_path("excess") == MODELS["excess"]
    # Whether a path exists is for its reader to say.
    assert trigger_path("mine.onnx", tmp_path) == tmp_path / "mine.onnx"
    (tmp_path / "excess").write_text("")
    assert trigger_path("excess", tmp_path) == tmp_path / "excess"
    with pytest.raises(ConfigError, match=r"trigger 'exces': no such file, nor a pretrained model; those are .*excess"):
        trigger_path("exces")
