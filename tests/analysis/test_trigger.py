"""The trigger model file and its contract."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from scipy.sparse import csr_array

from analysis.scores import BASELINES, baseline_scores, event_scores, oriented
from analysis.trigger import Direction, Trigger
from darktrigger.errors import AnalysisError, ModelFileError
from imaging.dense import coarse_e_t, coarse_mask
from imaging.grid import FINE, HCAL
from imaging.image_set import COLUMNS, ImageSet
from imaging.sparse import SparseImages


def metadata(**changes: Any) -> dict[str, Any]:
    base = {
        "input": {"kind": "coarse mask", "normalisation": "none"},
        "scores": {"pixel_sum": {"direction": "higher"}, "emptiness": {"direction": "lower"}},
    }
    return copy.deepcopy(base) | changes


def events(n: int, seed: int = 1) -> ImageSet:
    rng = np.random.default_rng(seed)
    tracker = csr_array((rng.random((n, FINE.n_pixels)) < 1e-3).astype(np.float32))
    nothing = csr_array((n, FINE.n_pixels), dtype=np.float32)
    hcal = csr_array((n, HCAL.n_pixels), dtype=np.float32)
    columns = {name: np.arange(n, dtype=dtype) for name, dtype in COLUMNS.items()}
    return ImageSet(SparseImages(tracker, nothing, hcal), **columns)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_scores_are_those_of_the_images(trigger_path: Path, n: int) -> None:
    images = events(n).images
    scores = Trigger(trigger_path).scores(images, batch_size=3)
    expected = coarse_mask(images).sum(axis=(1, 2, 3))
    assert {values.dtype for values in scores.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(scores["pixel_sum"], expected)
    np.testing.assert_array_equal(scores["emptiness"], 4176 - expected)
    np.testing.assert_array_equal(scores["forward"], coarse_mask(images)[..., np.r_[:15, 43:58]].sum(axis=(1, 2, 3)))


def test_orientation_makes_higher_more_anomalous(trigger_path: Path) -> None:
    batch = events(5)
    scores = event_scores(Trigger(trigger_path), batch, batch_size=128)
    np.testing.assert_array_equal(np.argsort(scores["emptiness"]), np.argsort(scores["pixel_sum"]))
    np.testing.assert_array_equal(scores["lit_pixels"], scores["pixel_sum"])
    np.testing.assert_array_equal(scores["n_tracks"], batch.n_tracks)
    np.testing.assert_array_equal(oriented({"a": np.ones(2, np.float32)}, {"a": Direction.LOWER})["a"], [-1, -1])


def test_baselines_of_no_events() -> None:
    assert {name: len(values) for name, values in baseline_scores(events(0)).items()} == dict.fromkeys(BASELINES, 0)


def test_baselines_are_those_of_the_coarse_image() -> None:
    rng = np.random.default_rng(5)
    nothing = csr_array((4, FINE.n_pixels), dtype=np.float32)
    hcal = csr_array(
        ((rng.random((4, HCAL.n_pixels)) < 0.05) * rng.exponential(12, (4, HCAL.n_pixels))), dtype=np.float32
    )
    batch = replace(events(4), images=SparseImages(nothing, nothing, hcal))
    image_NCHW = coarse_e_t(batch.images)
    scores = baseline_scores(batch)
    np.testing.assert_array_equal(scores["hcal_cells"], (image_NCHW[:, 2] > 10).sum(axis=(1, 2)))
    assert scores["hcal_cells"].min() > 0
    np.testing.assert_allclose(scores["total_e_t_hcal"], hcal.sum(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(scores["lit_pixels"], 0)
    assert {values.dtype for values in scores.values()} == {np.dtype(np.float32)}


def lit(*pixels: tuple[int, int]) -> ImageSet:
    """One event with one track in each of these coarse pixels (phi, eta)."""
    row = csr_array((1, FINE.n_pixels), dtype=np.float32).tolil()
    for phi, eta in pixels:
        # The grid has two fine rows less than its 58 coarse ones would, one on either side.
        row[0, (5 * eta + 2 - 2) * FINE.n_phi + 5 * phi + 2] = 7.0
    images = replace(events(1).images, trk=csr_array(row))
    return replace(events(1), images=images)


def test_crowding_counts_pairs_that_are_near() -> None:
    def crowding(*pixels: tuple[int, int]) -> float:
        batch = lit(*pixels)
        assert coarse_mask(batch.images).sum() == len(pixels)
        return float(np.expm1(baseline_scores(batch, ["crowding"])["crowding"][0]))

    # The blur's square, integrated: 1 / (4 pi sigma^2).
    alone = crowding((30, 30))
    assert alone == pytest.approx(1 / (4 * np.pi * 9), rel=0.01)
    # A pair at distance d adds twice that times exp(-d^2 / 4 sigma^2).
    assert crowding((30, 30), (30, 33)) == pytest.approx(2 * alone * (1 + np.exp(-9 / 36)), rel=0.01)
    assert crowding((30, 10), (30, 45)) == pytest.approx(2 * alone, rel=0.01)
    # The detector closes on itself in phi, not in eta.
    assert crowding((0, 30), (71, 30)) == pytest.approx(crowding((30, 30), (31, 30)), rel=1e-4)
    assert crowding((30, 1), (30, 56)) < 2 * alone


def test_crowding_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = events(7)
    whole = baseline_scores(batch, ["crowding"])["crowding"]
    monkeypatch.setattr("analysis.scores._BLOCK", 2)
    np.testing.assert_array_equal(baseline_scores(batch, ["crowding"])["crowding"], whole)


def test_pickle_carries_the_model_but_not_the_session(trigger_path: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(trigger_path.read_bytes())
    trigger = Trigger(moved)
    moved.unlink()
    copied = pickle.loads(pickle.dumps(trigger))  # noqa: S301
    assert copied._session is None
    np.testing.assert_array_equal(
        copied.scores(events(2).images)["pixel_sum"], trigger.scores(events(2).images)["pixel_sum"]
    )


def test_unknown_metadata_is_kept(make_trigger: Callable[..., Path]) -> None:
    trigger = Trigger(make_trigger(metadata(training={"hash": "abc"})))
    assert trigger.metadata.model_dump()["training"] == {"hash": "abc"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "has no 'darktrigger' in its metadata_props"),
        ({"scores": {}}, "metadata key 'input': Field required"),
        (metadata(input={"kind": "tracks"}), "unknown input kind 'tracks'; expected one of coarse mask"),
        (metadata(input={"kind": "coarse mask", "normalisation": "log"}), "unknown input normalisation 'log'"),
        (metadata(input={"kind": "coarse E_T"}), r"expected tensor\(float\) \['N', 3, 72, 58\]"),
        (metadata(scores={"bce": {"direction": "higher"}}), "score 'bce' is not among the outputs"),
        (metadata(scores={"pixel_sum": {"direction": "up"}}), "metadata key 'scores.pixel_sum.direction'"),
        (metadata(scores={}), "names no score"),
    ],
)
def test_broken_contract_is_named(make_trigger: Callable[..., Path], given: Any, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        Trigger(make_trigger(given))


def test_fixed_batch_is_refused(make_trigger: Callable[..., Path]) -> None:
    with pytest.raises(ModelFileError, match="N free"):
        Trigger(make_trigger(batch=1))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09" * 100])
def test_what_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"bad\.onnx: is not an ONNX model"):
        Trigger(path)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.onnx: cannot be read"):
        Trigger(tmp_path / "nowhere.onnx")


def test_score_that_takes_a_baseline_name_is_refused(make_trigger: Callable[..., Path]) -> None:
    from analysis.scores import directions

    path = make_trigger()
    trigger = Trigger(path)
    trigger.metadata.scores["n_tracks"] = trigger.metadata.scores["forward"]
    with pytest.raises(AnalysisError, match="reserved for the baseline"):
        directions(trigger)


@pytest.mark.parametrize("name", ["../../escaped", "/etc/escaped", "a/b", "..", "a\nb", "$\\frac{$ $", "x" * 300])
def test_score_names_that_are_no_file_names(make_trigger: Callable[..., Path], name: str) -> None:
    """Plots are named after scores."""
    path = make_trigger(metadata(scores={name: {"direction": "higher"}}), names=(name, "forward", "emptiness"))
    with pytest.raises(ModelFileError, match=r"score name .*(must not|cannot be drawn)"):
        Trigger(path)


def test_model_that_fails_when_it_is_run(tmp_path: Path, trigger_path: Path) -> None:
    model = onnx.load(trigger_path)
    mask = next(constant for constant in model.graph.initializer if constant.name == "mask")
    mask.CopyFrom(numpy_helper.from_array(np.ones((1, 72, 57), dtype=np.float32), "mask"))
    del model.graph.value_info[:]
    image = model.graph.input[0].type.tensor_type.shape
    image.dim[3].dim_param = "columns"
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelFileError, match="bad"):
        Trigger(tmp_path / "bad.onnx").scores(events(2).images)


def test_score_of_another_length_than_the_batch(tmp_path: Path, trigger_path: Path) -> None:
    """ONNX Runtime takes the declared shape of an output for a hint."""
    model = onnx.load(trigger_path)
    model.graph.node.append(helper.make_node("Concat", ["pixel_sum", "pixel_sum"], ["twice"], axis=0))
    model.graph.output[0].name = "twice"
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata(scores={"twice": {"direction": "higher"}}))})
    onnx.save(model, tmp_path / "twice.onnx")
    with pytest.raises(ModelFileError, match=r"output 'twice' has shape \(4,\); expected \(2,\)"):
        Trigger(tmp_path / "twice.onnx").scores(events(2).images)


def test_text_that_is_not_utf8(tmp_path: Path, trigger_path: Path) -> None:
    """Damage that protobuf and ONNX Runtime let pass."""
    content = trigger_path.read_bytes()
    for old, new in ((b"counting", b"count\xf8ng"), (b'"forward"', b'"forw\xa2rd"')):
        assert old in content
        (tmp_path / "bad.onnx").write_bytes(content.replace(old, new))
        with pytest.raises(ModelFileError, match=r"is no text|not an ONNX model"):
            Trigger(tmp_path / "bad.onnx")
