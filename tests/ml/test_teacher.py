"""Scores of a teacher, made by hand: the number of lit pixels, and its negative."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from darktrigger.errors import ConfigError, ModelFileError, TrainingError, UnreadableFileError
from darktrigger.files import fingerprint
from ml.data import load_background
from ml.teacher import Teacher


@pytest.mark.parametrize(("score", "direction"), [("lit", "higher"), ("dark", "lower")])
def test_scores_have_their_anomalous_end_up(score: str, direction: str, teacher: Path, background: Path) -> None:
    data = load_background([background], "coarse mask")
    asked = Teacher(teacher, score)
    assert asked.kind == "coarse mask"
    assert asked.record.model_dump() == {
        "path": str(teacher),
        "fingerprint": fingerprint(teacher),
        "score": score,
        "direction": direction,
    }
    lit_N = np.asarray(data.pixels.sum(axis=1)).ravel()
    found_N = asked.scores(data)
    assert found_N.dtype == np.float32
    np.testing.assert_array_equal(found_N, lit_N)
    assert asked.scores(data[np.arange(0)]).shape == (0,)


def test_a_score_that_the_teacher_lacks(teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"training.score: .* has no score 'bce'; it has lit, dark"):
        Teacher(teacher, "bce")


def test_files_that_are_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"absent\.onnx: cannot be read"):
        Teacher(tmp_path / "absent.onnx", "lit")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelFileError, match="is not an ONNX model that can be run"):
        Teacher(tmp_path / "text.onnx", "lit")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "has no 'darktrigger' in its metadata_props"),
        ("{", "metadata is not valid JSON"),
        ('{"scores": {}}', "metadata lack the input's kind"),
        ('{"input": {"kind": "coarse mask"}, "scores": {"lit": {}}}', "or the scores' directions"),
        (
            '{"input": {"kind": "jets"}, "scores": {"lit": {"direction": "higher"}}}',
            "input is 'jets', normalised by none; expected one of coarse mask",
        ),
        (
            '{"input": {"kind": "fine", "normalisation": "log"}, "scores": {"lit": {"direction": "higher"}}}',
            "normalised by log",
        ),
    ],
)
def test_metadata_that_do_not_keep_the_contract(
    metadata: str | None, message: str, teacher: Path, tmp_path: Path
) -> None:
    model = onnx.load(teacher)
    onnx.helper.set_model_props(model, {} if metadata is None else {"darktrigger": metadata})
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelFileError, match=re.escape(message)):
        Teacher(tmp_path / "bad.onnx", "lit")


def test_a_score_that_is_not_finite(teacher: Path, background: Path, tmp_path: Path) -> None:
    model = onnx.load(teacher)
    # Minus the number of lit pixels has no logarithm.
    model.graph.node.append(onnx.helper.make_node("Log", ["dark"], ["broken"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("broken", onnx.TensorProto.FLOAT, ["N"]))
    metadata = json.loads(model.metadata_props[0].value)
    metadata["scores"]["broken"] = {"direction": "higher"}
    onnx.helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(TrainingError, match=r"score 'broken' is not finite for (\d+) of \1 events"):
        Teacher(tmp_path / "broken.onnx", "broken").scores(load_background([background], "coarse mask"))
