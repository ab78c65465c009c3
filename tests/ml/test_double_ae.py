"""The dense autoencoders: the originals' numbers, and training by equation 2."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import ValidationError

from darktrigger.errors import InputFileError, TrainingError
from imaging.image_set import COLUMNS
from imaging.objects.branches import ObjectConfig
from imaging.objects.layout import N_INPUTS
from imaging.objects.object_file import ObjectMetadata, write_object_file
from imaging.objects.object_set import ObjectSet
from ml.config import RunConfig, run_config
from ml.decorrelated import Decorrelated
from ml.decorrelation import ClosureConfig, ClosurePenalty, Constrained, DiscoPenalty, non_closure
from ml.disco import distance_correlation
from ml.export import export_run
from ml.lepton_frame import lepton_frame
from ml.mixture import WeighedImages
from ml.models.double_ae import DenseAutoEncoder, DoubleAE, DoubleAEConfig, DoubleAETraining, ObjectScale
from ml.run_folder import load_model
from ml.training import train

SMALL = {"units": [16, 8], "latents": 2}


def make_objects(n: int, seed: int = 0, label: int = 0) -> ObjectSet:
    """Events in which a few slots are filled, of correlated p_T."""
    rng = np.random.default_rng(seed)
    objects = np.zeros((n, N_INPUTS // 3, 3), dtype=np.float32)
    size = rng.exponential(1.0, n) + 0.5
    for slot in (0, 1, 5, 9, 10):
        objects[:, slot, 0] = 30 * size * rng.exponential(1.0, n)
        objects[:, slot, 1:] = rng.uniform(-2, 2, (n, 2))
    columns = {name: np.zeros(n, dtype) for name, dtype in COLUMNS.items()}
    columns |= {"weight": np.ones(n, np.float32), "entry": np.arange(n, dtype=np.uint64)}
    columns["label"] = np.full(n, label, np.uint8)
    return ObjectSet(objects.reshape(n, N_INPUTS), **columns)


def write(path: Path, events: ObjectSet) -> Path:
    n = len(events)
    metadata = ObjectMetadata(
        process="w", label_names={0: "background"}, source_files=(), skipped_files=(), tree_entries=n, events_read=n,
        events_selected=n, sum_of_weights_read=n, sum_of_weights_selected=n, selection=ObjectConfig(), branches=(),
        versions={},
    )  # fmt: skip
    with write_object_file(path) as writer:
        writer.write(events)
        writer.write_metadata(metadata)
    return path


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    return write(tmp_path / "objects.parquet", make_objects(60))


def config(model: dict[str, object] | None = None, **training: object) -> RunConfig[Any]:
    defaults = {"epochs": 3, "batch_size": 20, "micro_batch": 7, "validation_fraction": 0.2}
    return run_config("double-ae", {"model": model or SMALL, "training": defaults | training})


def test_parity_doubleae(shared: Path) -> None:
    arrays = np.load(shared / "parity" / "doubleae_parity.npz")
    model = DoubleAE(DoubleAEConfig(scale=ObjectScale(pt=1, eta=1, phi=1)))
    assert sum(parameter.numel() for parameter in model.parameters()) == 2 * 115_520
    for number, member in enumerate(model.members, start=1):
        assert isinstance(member, DenseAutoEncoder)
        layers = [layer for layer in (*member.encoder, *member.decoder) if isinstance(layer, torch.nn.Linear)]
        for index, layer in enumerate(layers):
            layer.weight.data = torch.from_numpy(arrays[f"ae{number}/dense{index}/kernel"].T.copy())
    x = torch.from_numpy(arrays["input"])
    with torch.inference_mode():
        output = model(x)
        for number, member in enumerate(model.members, start=1):
            assert isinstance(member, DenseAutoEncoder)
            np.testing.assert_allclose(member.encoder(x), arrays[f"latent{number}"], atol=1e-5)
            np.testing.assert_allclose(member(x), arrays[f"reco{number}"], atol=1e-5)
            np.testing.assert_allclose(output.score[:, number - 1], arrays[f"mse{number}"], atol=1e-6)
    for weight in (10, 100):
        # The original adds the batch's term to the loss of every event.
        loss = output.own_loss + DiscoPenalty(weight=weight).terms(output.score) * weight
        np.testing.assert_allclose(loss, arrays[f"disco_loss_alpha{weight}"][:, 0], rtol=1e-4)


@pytest.mark.parametrize("weight", [None, torch.linspace(0.1, 3.0, 30)])
def test_gradient_in_two_passes_is_that_of_the_whole_batch(weight: torch.Tensor | None) -> None:
    model = DoubleAE(DoubleAEConfig(units=(16, 8), latents=2))
    model.reset_parameters(torch.Generator().manual_seed(0))
    x = torch.from_numpy(make_objects(30).images)
    output = model(x)
    whole = output.own_loss.mean() + 50 * distance_correlation(output.score[:, 0], output.score[:, 1], weight)
    expected = torch.autograd.grad(whole, list(model.parameters()))

    module = Decorrelated(model, DoubleAETraining(micro_batch=7, objective=DiscoPenalty(weight=50), clip_norm=1e9))
    captured: list[torch.Tensor] = []

    class Stop:
        param_groups: ClassVar[list[dict[str, float]]] = []

        def zero_grad(self) -> None:
            model.zero_grad()

        def step(self) -> None:
            captured.extend(parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None)

    module.optimizers = Stop  # type: ignore[assignment,method-assign]
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    module.training_step(WeighedImages(x, weight), 0)
    for found, wanted in zip(captured, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)


def test_train_export_and_scores(objects: Path, tmp_path: Path) -> None:
    train("double-ae", [objects], tmp_path / "run", config())
    header, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert header.split(",")[-1] == "val_disco"
    assert all(0 <= float(row.split(",")[-1]) <= 1 for row in rows)
    export_run(tmp_path / "run", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    x = make_objects(5, seed=1).images
    mse1, mse2 = session.run(["mse1", "mse2"], {"image": x})
    expected = load_model(tmp_path / "run")(torch.from_numpy(x)).score.detach().numpy()
    np.testing.assert_allclose(np.stack([mse1, mse2], 1), expected, rtol=1e-4)
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["darktrigger"])
    assert metadata["input"]["kind"] == "objects"
    assert metadata["scores"] == {"mse1": {"direction": "higher"}, "mse2": {"direction": "higher"}}


def test_range_of_the_training_events(objects: Path, tmp_path: Path) -> None:
    train("double-ae", [objects], tmp_path / "run", config(SMALL | {"scale": "range"}))
    model = load_model(tmp_path / "run")
    assert isinstance(model, DoubleAE)
    x = torch.from_numpy(make_objects(60).images)
    scaled = (x - model.offset) / model.scale
    # 48 of the 60 events trained; the first electron's p_T is one of the inputs that vary, the third's does not.
    varies = x.amax(0) > x.amin(0)
    assert varies[3]
    assert not varies[9]
    inside = ((scaled >= 0) & (scaled <= 1)).all(1)
    assert 48 <= inside.sum() <= 60
    training = scaled[inside]
    assert training[:, varies].amax(0) == pytest.approx(1.0)
    assert training[:, varies].amin(0) == pytest.approx(0.0)
    assert not training[:, ~varies].any()
    export_run(tmp_path / "run", tmp_path / "model.onnx")
    scores = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["mse1", "mse2"], {"image": x.numpy()})
    np.testing.assert_allclose(np.stack(scores, 1), model(x).score.detach().numpy(), rtol=1e-4)


def test_scale_of_the_first_weights_is_kept(objects: Path, tmp_path: Path) -> None:
    model = SMALL | {"scale": "range"}
    train("double-ae", [objects], tmp_path / "first", config(model))
    others = write(tmp_path / "others.parquet", make_objects(60, seed=1))
    train("double-ae", [others], tmp_path / "second", config(model, pretrained=str(tmp_path / "first")))
    train("double-ae", [others], tmp_path / "alone", config(model))
    scales = {name: load_model(tmp_path / name).get_buffer("scale") for name in ("first", "second", "alone")}
    assert torch.equal(scales["second"], scales["first"])
    assert not torch.equal(scales["alone"], scales["first"])


def test_training_with_turned_events_is_reproducible_and_another(objects: Path, tmp_path: Path) -> None:
    runs = {"plain": False, "turned": True, "again": True}
    for name, augmentation in runs.items():
        train("double-ae", [objects], tmp_path / name, config(augmentation=augmentation))
    plain, turned, again = ((tmp_path / name / "metrics.csv").read_text() for name in runs)
    assert turned == again
    assert turned != plain


def test_deviation_of_the_training_events(objects: Path, tmp_path: Path) -> None:
    train("double-ae", [objects], tmp_path / "run", config(SMALL | {"scale": "deviation"}))
    model = load_model(tmp_path / "run")
    assert isinstance(model, DoubleAE)
    x = torch.from_numpy(make_objects(60).images)
    varies = x.amax(0) > x.amin(0)
    # 48 of the 60 events trained.
    scaled = (x - model.offset) / model.scale
    torch.testing.assert_close(scaled[:, varies].mean(0), torch.zeros(int(varies.sum())), atol=0.4, rtol=0)
    assert (scaled[:, varies].std(0) - 1).abs().max() < 0.6
    assert scaled[:, ~varies].abs().max() < 1e-5
    export_run(tmp_path / "run", tmp_path / "model.onnx")
    scores = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["mse1", "mse2"], {"image": x.numpy()})
    np.testing.assert_allclose(np.stack(scores, 1), model(x).score.detach().numpy(), rtol=1e-4)


def test_deviation_is_that_of_all_batches() -> None:
    x = torch.from_numpy(make_objects(40).images)
    x[:, 3] *= 0.01
    model = DoubleAE(DoubleAEConfig(scale="deviation"))
    model.learn_scale([x[:7], x[7:30], x[30:]])
    torch.testing.assert_close(model.offset, x.mean(0))
    deviation = x.std(0, correction=0).view(-1, 3)
    least = 0.3 * deviation.amax(0)
    # The first electron's p_T has a small deviation, like the slots that are always empty.
    small = deviation < least
    assert small[1].tolist() == [True, False, False]
    assert small[2].all()
    expected = torch.where(small, least, deviation)
    torch.testing.assert_close(model.scale.view(-1, 3), expected)


@pytest.mark.parametrize("scale", ["range", {"pt": 30}])
def test_frame_of_the_leading_lepton(scale: object, objects: Path, tmp_path: Path) -> None:
    train("double-ae", [objects], tmp_path / "run", config(SMALL | {"frame": "lepton", "scale": scale}))
    model = load_model(tmp_path / "run")
    assert isinstance(model, DoubleAE)
    x = torch.from_numpy(make_objects(200, seed=1).images)
    score = model(x).score.detach()
    torch.testing.assert_close(model(lepton_frame(x)).score.detach(), score, rtol=1e-4, atol=1e-6)
    if scale == "range":
        seen = lepton_frame(torch.from_numpy(make_objects(60).images))
        inside = ((seen >= model.offset) & (seen <= model.offset + model.scale)).all(1)
        assert inside.sum() >= 48
    export_run(tmp_path / "run", tmp_path / "model.onnx")
    for events in (x, torch.zeros(3, N_INPUTS)):
        found = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["mse1", "mse2"], {"image": events.numpy()})
        expected = model(events).score.detach().numpy()
        np.testing.assert_allclose(np.stack(found, 1), expected, rtol=1e-4, atol=1e-6)


def test_logarithms_of_momenta_alone(objects: Path, tmp_path: Path) -> None:
    linear = DoubleAE(DoubleAEConfig(scale="deviation"))
    linear.reset_parameters(torch.Generator().manual_seed(0))
    logarithmic = DoubleAE(DoubleAEConfig(scale="deviation", log_pt=20))
    logarithmic.load_state_dict(linear.state_dict())
    x = torch.from_numpy(make_objects(40).images)
    expected = x.clone()
    expected[:, ::3] = torch.log(1 + x[:, ::3] / 20)
    linear.learn_scale([expected])
    logarithmic.learn_scale([x])
    torch.testing.assert_close(logarithmic(x).score, linear(expected).score)
    assert not torch.allclose(logarithmic(x).score, linear(x).score, rtol=0.1)

    train("double-ae", [objects], tmp_path / "run", config(SMALL | {"frame": "lepton", "log_pt": 20}))
    export_run(tmp_path / "run", tmp_path / "model.onnx")
    scores = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["mse1", "mse2"], {"image": x.numpy()})
    wanted = load_model(tmp_path / "run")(x).score.detach().numpy()
    np.testing.assert_allclose(np.stack(scores, 1), wanted, rtol=1e-4)
    with pytest.raises(ValidationError, match="log_pt"):
        DoubleAEConfig(log_pt=0)


def test_no_range_is_learnt_unless_asked() -> None:
    model = DoubleAE(DoubleAEConfig())
    model.learn_scale([torch.from_numpy(make_objects(5).images)])
    assert not model.offset.any()
    assert "scale" not in model.state_dict()


@pytest.mark.parametrize(("objective", "scale"), [({"kind": "disco"}, "range"), ({"kind": "constrained"}, {"pt": 100})])
def test_resumed_run_equals_an_uninterrupted_one(
    objective: dict[str, object], scale: object, objects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(SMALL | {"scale": scale}, objective=objective)
    train("double-ae", [objects], tmp_path / "whole", settings)
    with monkeypatch.context() as patch:
        original, steps = Decorrelated.training_step, iter(range(100))

        def training_step(self: Decorrelated, *args: Any) -> None:
            if next(steps) == 5:
                raise KeyboardInterrupt
            original(self, *args)

        patch.setattr(Decorrelated, "training_step", training_step)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train("double-ae", [objects], tmp_path / "cut", settings)
    train("double-ae", [objects], tmp_path / "cut", settings, resume=True)
    for name in ("metrics.csv", "calibration.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_decorrelation_is_learned(tmp_path: Path) -> None:
    path = write(tmp_path / "many.parquet", make_objects(600, seed=3))
    found = {}
    for weight in (0, 100):
        settings: dict[str, Any] = {"epochs": 15, "batch_size": 480, "micro_batch": 480, "learning_rate": 0.01}
        train(
            "double-ae",
            [path],
            tmp_path / f"run{weight}",
            config(objective={"kind": "disco", "weight": weight}, **settings),
        )
        last = (tmp_path / f"run{weight}" / "metrics.csv").read_text().splitlines()[-1]
        found[weight] = float(last.split(",")[-1])
    assert found[100] < 0.5 * found[0]


def test_one_and_three_members(objects: Path, tmp_path: Path) -> None:
    for members in (1, 3):
        settings = config(SMALL | {"members": members}, epochs=1)
        train("double-ae", [objects], tmp_path / str(members), settings)
        export_run(tmp_path / str(members), tmp_path / f"{members}.onnx")
        names = [output.name for output in onnxruntime.InferenceSession(tmp_path / f"{members}.onnx").get_outputs()]
        assert names == [f"mse{number}" for number in range(1, members + 1)]


def test_signal_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "signal.parquet", make_objects(20, label=3))
    with pytest.raises(TrainingError, match="background only"):
        train("double-ae", [path], tmp_path / "run", config())


def test_images_are_no_objects(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "no.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(InputFileError, match=r"no\.parquet"):
        train("double-ae", [path], tmp_path / "run", config())


def test_closure_term_is_zero_for_independence_and_large_for_copies() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(20_000, 2, generator=generator).unbind(1)
    settings = ClosureConfig(efficiencies=(0.5, 0.1))
    assert non_closure(torch.stack([x, y], 1), settings) < 0.01
    assert non_closure(torch.stack([x, x], 1), settings) > 1
    assert non_closure(x[:, None], settings) == 0


def test_closure_penalty_has_both_terms() -> None:
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    objective = ClosurePenalty(weight=2, closure_weight=3)
    terms = objective.terms(x)
    assert objective.value(terms, terms).item() == pytest.approx(2 * terms[0].item() + 3 * terms[1].item())


def test_multipliers_rise_while_a_constraint_is_broken_and_never_below_zero() -> None:
    objective = Constrained(disco_max=0.1, closure_max=0.1, rate=10, damping=5)
    terms = torch.tensor([0.3, 0.05])
    multiplier = objective.updated(torch.zeros(2), terms)
    torch.testing.assert_close(multiplier, torch.tensor([2.0, 0.0]))
    # Derivative of the augmented Lagrangian: the pressure.
    leaf = terms.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective.value(leaf, multiplier), leaf)
    torch.testing.assert_close(gradient, torch.tensor([2.0 + 5 * 0.2, 0.0]))
    assert objective.merit(torch.tensor([0.1, 0.1])) == 0


def test_objectives_have_their_own_fields_only() -> None:
    with pytest.raises(ValidationError, match="disco_max"):
        DiscoPenalty.model_validate({"kind": "disco", "disco_max": 0.1})
