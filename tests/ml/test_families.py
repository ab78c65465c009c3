"""What every family of mask images has to keep: training, resuming, export."""

import csv
import doctest
import importlib
import json
from contextlib import nullcontext

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from darktrigger.errors import ConfigError
from imaging.dense import coarse_mask
from imaging.image_file import read_image_file
from ml.calibration import read_calibration
from ml.config import run_config
from ml.data import torch_stream
from ml.export import Scorer, export_run
from ml.layers import mixes_events
from ml.module import Reconstruction, Stochastic, accumulate_gradient
from ml.registry import FAMILIES
from ml.run_folder import load_checkpoint, load_model
from ml.threads import thread_map
from ml.training import train

#: Families that rebuild mask images; the others are in test_fine_and_supervised.py.
NAMES = ["codae", "cae", "codvae", "heimel", "dirichlet"]

#: Noise hides what the Dirichlet VAE learns in the others' two epochs.
TRAINING = {name: {"epochs": 2} for name in NAMES} | {"dirichlet": {"epochs": 10, "learning_rate": 0.02}}

#: Outputs that jump where a pixel lies on the threshold.
THRESHOLDED = {name: {"sae_mask"} for name in NAMES} | {"codvae": {"sse", "dice", "pixel_sum", "reconstruction"}}


class KilledError(Exception):
    """Stands for a signal."""


@pytest.fixture(scope="module")
def files(background, signal):
    """Image files to train a family on: the Dirichlet VAE is weakly supervised."""
    return lambda name: [background, signal] if name == "dirichlet" else [background]


@pytest.fixture(scope="module")
def trained(files, small_config_of, tmp_path_factory):
    """Run folder of a small model of a family, trained for a few epochs."""
    folders = {}

    def run(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            train(name, files(name), folders[name], small_config_of(name, **TRAINING[name]))
        return folders[name]

    return run


@pytest.fixture(scope="module")
def images(background):
    return coarse_mask(read_image_file(background).images)


def small_model(name, small_config_of):
    model = FAMILIES[name].model(small_config_of(name).model)
    model.reset_parameters(torch.Generator().manual_seed(1))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_training_learns(name, trained):
    with (trained(name) / "metrics.csv").open() as stream:
        first, *_, last = csv.DictReader(stream)
    assert float(last["train_loss"]) < float(first["train_loss"])


@pytest.mark.parametrize("name", NAMES)
def test_every_score_is_calibrated(name, trained):
    calibration = read_calibration(trained(name))
    assert list(calibration.scores) == list(FAMILIES[name].scores)
    assert all(np.isfinite(list(score.quantiles.values())).all() for score in calibration.scores.values())


@pytest.mark.parametrize("name", NAMES)
def test_resumed_run_equals_an_uninterrupted_one(name, trained, files, small_config_of, tmp_path, monkeypatch):
    config, whole = small_config_of(name, **TRAINING[name]), trained(name)
    with monkeypatch.context() as patch:
        steps = iter(range(100))
        original = Reconstruction.training_step

        def training_step(self, *args):
            if next(steps) == 6:
                raise KilledError
            original(self, *args)

        patch.setattr(Reconstruction, "training_step", training_step)
        with pytest.raises(KilledError):
            train(name, files(name), tmp_path / "cut", config)
    assert (tmp_path / "cut" / "last.ckpt").exists()
    train(name, files(name), tmp_path / "cut", config, resume=True)
    one, other = (load_checkpoint(folder / "last.ckpt")["state_dict"] for folder in (whole, tmp_path / "cut"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    for file in ("metrics.csv", "calibration.json"):
        assert (whole / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """ONNX Runtime session of a family's model with reconstruction."""
    sessions = {}

    def load(name):
        if name not in sessions:
            path = tmp_path_factory.mktemp("export") / f"{name}.onnx"
            export_run(trained(name), path, reconstruction=True)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            sessions[name] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return sessions[name]

    return load


@pytest.mark.parametrize("n", [0, 1, 64])
@pytest.mark.parametrize("name", NAMES)
def test_torch_and_onnx_runtime_agree(name, n, exported, trained, images):
    image_NCHW = np.resize(images, (n, *images.shape[1:]))
    model, scores = load_model(trained(name)), FAMILIES[name].scores
    with torch.inference_mode():
        output = model(torch.from_numpy(image_NCHW))
        expected = Scorer(model, scores, reconstruction=True)(torch.from_numpy(image_NCHW))
    outputs = [node.name for node in exported(name).get_outputs()]
    assert outputs == [*scores, "reconstruction"]
    sure_N = np.full(n, True)
    if hasattr(output, "logits"):
        sure_N = (output.logits.abs() > 1e-5).flatten(1).all(1).numpy()
        assert sure_N.sum() >= n // 2
    found = exported(name).run(outputs, {"image": image_NCHW})
    for score, score_N, expected_N in zip(outputs, found, expected, strict=True):
        assert score_N.dtype == np.float32
        assert score_N.shape == expected_N.shape
        compared_N = sure_N if score in THRESHOLDED[name] else np.full(n, True)
        np.testing.assert_allclose(score_N[compared_N], expected_N[compared_N], rtol=1e-4, atol=1e-4, err_msg=score)
    assert found[-1].shape == image_NCHW.shape


@pytest.mark.parametrize("name", NAMES)
def test_metadata(name, exported):
    metadata = json.loads(exported(name).get_modelmeta().custom_metadata_map["darktrigger"])
    assert metadata["family"] == name
    assert metadata["reconstruction"] is True
    assert list(metadata["scores"]) == list(FAMILIES[name].scores)


@pytest.mark.parametrize("name", NAMES)
def test_exported_model_gives_the_same_bits_again(name, exported, images):
    first, again = (exported(name).run(None, {"image": images}) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_divergence_needs_the_encoder_alone_and_stands_half_precision(trained, exported, images, tmp_path):
    folder, path = trained("codvae"), tmp_path / "kl.onnx"
    export_run(folder, path, "fp16", ["kl_r"])
    model = load_model(folder)
    unused = sum(p.numel() for part in (model.decoder, model.mask_encoder) for p in part.parameters())
    total = sum(tensor.numel() for tensor in model.state_dict().values())
    assert sum(int(np.prod(tensor.dims)) for tensor in onnx.load(path).graph.initializer) < total - unused + 100
    (found,) = onnxruntime.InferenceSession(path).run(["kl_r"], {"image": images})
    (expected,) = exported("codvae").run(["kl_r"], {"image": images})
    assert found.dtype == np.float32
    # Half precision's own rounding, a thousandth of the value, and little beside the spread of events.
    deviation = np.sqrt(np.square(found - expected).mean())
    assert deviation < 2**-10 * expected.mean()
    assert deviation < 0.2 * expected.std()


def test_int8_is_refused_where_nothing_can_have_it(trained, tmp_path):
    with pytest.raises(ConfigError, match="int8 is for 3 x 3 convolutions, of which this model has none"):
        export_run(trained("dirichlet"), tmp_path / "m.onnx", "int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_an_empty_image_are_finite(name, trained):
    model = load_model(trained(name))
    with torch.inference_mode():
        outputs = Scorer(model, FAMILIES[name].scores, reconstruction=True)(torch.zeros(2, 1, 72, 58))
    assert all(torch.isfinite(output).all() for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_docstring_example(name):
    module = importlib.import_module(FAMILIES[name].model.__module__)
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_are_functions_of_the_generator(name, small_config_of):
    one, other = (small_model(name, small_config_of).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dirichlet"])
def test_micro_batches_and_threads_change_nothing_but_rounding(name, small_config_of):
    model = small_model(name, small_config_of)
    image_NCHW = (torch.rand(6, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).float()
    noise = model.draw(6, torch.Generator().manual_seed(2)) if isinstance(model, Stochastic) else None
    gradients = []
    for context, micro_batch in ((nullcontext(map), 6), (nullcontext(map), 2), (thread_map(3), 2)):
        model.zero_grad()
        with context as each:
            accumulate_gradient(model, FAMILIES[name].loss, image_NCHW, micro_batch, each, noise)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for whole, split, threaded in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, split, rtol=1e-3, atol=1e-4 * whole.abs().max().item())
        assert torch.equal(split, threaded)


@pytest.mark.parametrize("name", ["codvae", "dirichlet"])
def test_noise_is_a_function_of_seed_epoch_and_batch(name, small_config_of):
    model = small_model(name, small_config_of)
    config = small_config_of(name).training
    module = Reconstruction(model, FAMILIES[name].loss, config)
    expected = model.draw(5, torch_stream(config.seed, "noise", 0, 3))
    assert torch.equal(module.noise(5, 3), expected)
    assert not torch.equal(module.noise(5, 4), expected)


@pytest.mark.parametrize("name", ["codae", "cae", "heimel"])
def test_other_families_take_no_noise(name, small_config_of):
    model = small_model(name, small_config_of)
    assert Reconstruction(model, FAMILIES[name].loss, small_config_of(name).training).noise(5, 3) is None


def test_only_dirichlet_mixes_events(small_config_of):
    assert [name for name in NAMES if mixes_events(small_model(name, small_config_of))] == ["dirichlet"]


@pytest.mark.parametrize(
    ("name", "epochs"), [("codae", 30), ("cae", 30), ("codvae", 100), ("heimel", 50), ("dirichlet", 50)]
)
def test_epochs_of_the_paper_unless_given(name, epochs):
    assert run_config(name).training.epochs == epochs
    assert run_config(name, {"training": {"seed": 1}}).training.epochs == epochs
    assert run_config(name, {"training": {"epochs": 7}}).training.epochs == 7
