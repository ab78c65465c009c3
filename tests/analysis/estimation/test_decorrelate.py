"""The command decorrelate on real Delphes events."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.decorrelate import decorrelate
from analysis.estimation.config import DecorrelateConfig
from analysis.estimation.rarity import RARITIES, learn_rarities
from analysis.trigger import Direction, Trigger
from darktrigger.errors import AnalysisError, ConfigError
from darktrigger.files import fingerprint
from imaging.image_file import read_image_file
from imaging.split import EntrySplit


@pytest.fixture
def decorrelated(tmp_path: Path, trigger_path: Path, images: list[str]) -> Path:
    arguments = ["decorrelate", str(trigger_path), *images, "--scores", "forward", "emptiness", "--weights", "unit"]
    done = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "out.onnx"), "--background-entries", "3:0,1"])
    assert done.exit_code == 0, done.output
    assert "learnt from" in done.output
    return tmp_path / "out.onnx"


def test_outputs_are_the_rarities_and_what_was_there(decorrelated: Path, trigger_path: Path, images: list[str]) -> None:
    new, old = Trigger(decorrelated), Trigger(trigger_path)
    for path in images:
        events = read_image_file(path)
        found, before = new.scores(events.images), old.scores(events.images)
        for name, values in before.items():
            np.testing.assert_array_equal(found[name], values)
        if path == images[0]:
            scores = np.stack([before["forward"], -before["emptiness"]], axis=1).astype(np.float64)
            kept = EntrySplit(modulo=3, keep=(0, 1)).mask(events.entry)
            config = DecorrelateConfig()
            rarities = learn_rarities(scores[kept], np.ones(kept.sum()), config.cell_events, config.prior_events)
        scores = np.stack([before["forward"], -before["emptiness"]], axis=1).astype(np.float64)
        expected = rarities(scores)
        for name, column in zip(RARITIES, expected.T, strict=True):
            np.testing.assert_allclose(found[name], column, rtol=1e-5, atol=1e-4)
            assert np.ptp(column) > 0


def test_metadata_tell_of_it(decorrelated: Path, trigger_path: Path, images: list[str]) -> None:
    trigger = Trigger(decorrelated)
    assert [trigger.directions[name] for name in RARITIES] == [Direction.HIGHER] * 2
    assert trigger.metadata.family == "counting"
    (text,) = [entry.value for entry in onnx.load(decorrelated).metadata_props if entry.key == "darktrigger"]
    told = json.loads(text)["decorrelated"]
    assert told["scores"] == ["forward", "emptiness"]
    assert told["files"] == {images[0]: fingerprint(images[0])}
    assert told["config"]["background_entries"] == {"modulo": 3, "keep": [0, 1]}
    kept = EntrySplit(modulo=3, keep=(0, 1)).mask(read_image_file(images[0]).entry)
    assert told["events"] == kept.sum()
    assert told["effective_events"] == pytest.approx(kept.sum())
    assert not list(decorrelated.parent.glob("*.tmp*"))


def test_estimate_says_what_learning_adds_to_the_errors(decorrelated: Path, images: list[str], tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("{efficiencies: [0.3], working_point: 0.3, closure: {pairs: 5}}")
    found = {}
    for scores in (("rarity1", "rarity2"), ("forward", "emptiness")):
        folder = tmp_path / scores[0]
        arguments = ["estimate", str(decorrelated), *images, "--scores", *scores, "-o", str(folder)]
        arguments += ["--weights", "unit"]
        arguments += ["--config", str(tmp_path / "settings.yaml"), "--background-entries", "3:2", "--experiments", "2"]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        summary = json.loads((folder / "summary.json").read_text())
        found[scores] = summary["growth_by_learning"], (folder / "closure.md").read_text()
    learnt = EntrySplit(modulo=3, keep=(0, 1)).mask(read_image_file(images[0]).entry)
    growth, text = found["rarity1", "rarity2"]
    assert growth == pytest.approx(np.sqrt(1 + (~learnt).sum() / learnt.sum()))
    assert f"they are {growth:.3g} times as large" in text
    growth, text = found["forward", "emptiness"]
    assert growth is None
    assert "times as large" not in text


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_models_of_any_maker(make_trigger: Callable[..., Path], images: list[str], tmp_path: Path, opset: int) -> None:
    path = make_trigger()
    model = onnx.load(path)
    model.opset_import[0].version = opset
    if opset < 13:
        # The axes are an attribute there.
        for node in model.graph.node:
            if node.op_type == "ReduceSum":
                node.input.pop()
                node.attribute.append(onnx.helper.make_attribute("axes", [1, 2, 3]))
    onnx.save(model, path)
    count = decorrelate(Trigger(path), ("pixel_sum", "forward"), images, tmp_path / "new.onnx")
    assert count == len(read_image_file(images[0]))
    found = Trigger(tmp_path / "new.onnx").scores(read_image_file(images[1]).images)
    assert set(RARITIES) < set(found)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (("pixel_sum", "n_tracks"), "has no score 'n_tracks'; it has pixel_sum, forward, emptiness"),
        (("forward", "forward"), "'forward' is named twice"),
    ],
)
def test_bad_scores(
    scores: tuple[str, str], message: str, trigger_path: Path, images: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        decorrelate(Trigger(trigger_path), scores, images, tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_not_twice(decorrelated: Path, images: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has rarity1 and rarity2 already"):
        decorrelate(Trigger(decorrelated), ("pixel_sum", "forward"), images, tmp_path / "twice.onnx")


def test_no_background(trigger_path: Path, images: list[str], tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="no background"):
        decorrelate(Trigger(trigger_path), ("pixel_sum", "forward"), images[1:], tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_error_of_the_command(trigger_path: Path, images: list[str], tmp_path: Path) -> None:
    arguments = [str(trigger_path), *images, "--scores", "pixel_sum", "forward", "-o", str(tmp_path / "out.onnx")]
    (tmp_path / "settings.yaml").write_text("{cell_events: 0}")
    done = CliRunner().invoke(app, ["decorrelate", *arguments, "--config", str(tmp_path / "settings.yaml")])
    assert isinstance(done.exception, ConfigError)
    assert "cell_events" in str(done.exception)
