import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from darktrigger.errors import ModelFileError
from darktrigger.sphere import grid, on_sphere
from imaging.jets.dense import JetInput, jet_image
from imaging.jets.jet_file import read_jet_files
from ml.export import Scorer, export_run
from ml.models.nae import NAE
from ml.nae.landscape import read_chains
from ml.run_folder import load_model, read_record


def run(
    path: Path, image_NCHW: NDArray[np.float32]
) -> tuple[dict[str, NDArray[np.float32]], onnxruntime.InferenceSession]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image_NCHW}), strict=True)), session


@pytest.fixture(scope="module", params=["nae", "jet-ae"])
def exported(
    request: pytest.FixtureRequest, nae_run: Path, ae_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folder = nae_run if request.param == "nae" else ae_run
    path = tmp_path_factory.mktemp("export") / f"{request.param}.onnx"
    export_run(folder, path, reconstruction=True)
    return folder, path


@pytest.mark.parametrize("n", [0, 1, 64])
def test_torch_and_onnx_runtime_agree(n: int, exported: tuple[Path, Path], qcd_jets: Path) -> None:
    folder, path = exported
    jets = read_jet_files([qcd_jets])
    raw_NCHW = np.resize(jets.images.toarray().reshape(-1, 1, 40, 40), (n, 1, 40, 40))
    with torch.inference_mode():
        model = load_model(folder)
        output = model(torch.from_numpy(raw_NCHW))
        (energy,) = Scorer(model, ["energy"])(torch.from_numpy(raw_NCHW))
    found, _ = run(path, raw_NCHW)
    assert list(found) == ["energy", "reconstruction", "prepared", "latent"]
    np.testing.assert_allclose(found["energy"], energy, rtol=1e-4)
    np.testing.assert_allclose(found["reconstruction"], output.reconstruction, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found["latent"], output.latent, rtol=1e-4, atol=1e-5)
    if n == 64:
        np.testing.assert_allclose(found["prepared"][:48], jet_image(jets.images, JetInput()), rtol=1e-4, atol=1e-7)


def test_energies_do_not_drift(exported: tuple[Path, Path], qcd_jets: Path) -> None:
    _, path = exported
    raw_NCHW = read_jet_files([qcd_jets])[:4].images.toarray().reshape(-1, 1, 40, 40)
    _, session = run(path, raw_NCHW)
    first, second = (session.run(["energy"], {"image": raw_NCHW})[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_metadata(exported: tuple[Path, Path]) -> None:
    _, path = exported
    _, session = run(path, np.zeros((1, 1, 40, 40), dtype=np.float32))
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["darktrigger"])
    assert metadata["input"]["kind"] == "jet"
    assert metadata["scores"] == {"energy": {"direction": "higher"}}
    assert metadata["config"]["front"] == {"input": "jet", "power": 1.0, "sigma": 1.0, "brightness": 1.0}


def test_metadata_tell_what_the_first_weights_learnt_from(exported: tuple[Path, Path], ae_run: Path) -> None:
    folder, path = exported
    _, session = run(path, np.zeros((1, 1, 40, 40), dtype=np.float32))
    training = json.loads(session.get_modelmeta().custom_metadata_map["darktrigger"])["training"]
    if folder == ae_run:
        assert "pretrained" not in training
    else:
        source = read_record(ae_run)
        assert training["pretrained"]["family"] == "jet-ae"
        assert training["pretrained"]["files"] == source.files
        assert training["pretrained"]["entries"] == {"modulo": 1, "keep": [0]}
        assert training["pretrained"]["pretrained"] is None


def test_the_latent_sphere_is_described(exported: tuple[Path, Path]) -> None:
    folder, path = exported
    _, session = run(path, np.zeros((1, 1, 40, 40), dtype=np.float32))
    landscape = json.loads(session.get_modelmeta().custom_metadata_map["darktrigger"])["landscape"]
    model, energy = load_model(folder), np.array(landscape["energy"])
    assert isinstance(model, NAE)
    longitude, latitude = grid(60, 30)
    point = torch.from_numpy(on_sphere(longitude[[7, 40]], latitude[[3, 20]]).astype(np.float32))
    with torch.inference_mode():
        np.testing.assert_allclose(energy[[3, 20], [7, 40]], model.latent_energy(point), rtol=1e-3)
    if not (folder / "landscape.npz").exists():
        assert landscape["chains"] == []
        return
    with np.load(folder / "landscape.npz") as found:
        drawn, turn = on_sphere(*np.moveaxis(found["chains"], -1, 0)), found["turn"]
    own = on_sphere(*np.moveaxis(np.array(landscape["chains"]), -1, 0))
    np.testing.assert_allclose(own @ turn.T, drawn, atol=1e-3)


def test_a_damaged_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "landscape.npz").write_bytes(b"PK nothing")
    with pytest.raises(ModelFileError, match="is not a map of a latent space"):
        read_chains(tmp_path / "landscape.npz")
    np.savez(tmp_path / "old.npz", chains=np.zeros((2, 3, 2)))
    assert read_chains(tmp_path / "old.npz").shape == (0, 0, 2)
