"""Pairs of image models with decorrelated scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import ValidationError

from darktrigger.errors import ConfigError, TrainingError
from ml.config import run_config
from ml.data import load_background
from ml.export import export_run
from ml.kept_members import keep
from ml.models.codae import CoDAE, CoDAEConfig
from ml.models.excess import Excess, ExcessConfig, loss
from ml.models.pair import MemberConfig, Pair, PairConfig
from ml.registry import score
from ml.run_folder import load_model
from ml.scores import SCORES
from ml.streams import torch_stream
from ml.training import train

SMALL_CODAE = {"filters": [8, 8], "groups": 2}
SETTINGS = {"epochs": 1, "batch_size": 20, "micro_batch": 8, "validation_fraction": 0.3}


def test_members_are_the_models_themselves() -> None:
    config = PairConfig(
        members=(
            MemberConfig(member="codae", score="bce", model=SMALL_CODAE),
            MemberConfig(member="excess", score="excess"),
        )
    )
    assert config.input_kind() == "coarse E_T"
    assert config.score_names() == ("bce1", "excess2")
    pair = Pair(config).eval()
    codae, excess = CoDAE(CoDAEConfig.model_validate(SMALL_CODAE)).eval(), Excess(ExcessConfig())
    codae.load_state_dict(pair.members[0].state_dict())
    excess.load_state_dict(pair.members[1].state_dict())
    image = torch.rand(3, 3, 72, 58, generator=torch.Generator().manual_seed(0))
    image *= image > 0.7
    mask = (image[:, :1] > 0).float()
    with torch.no_grad():
        output = pair(image)
        found_codae, found_excess = codae(mask), excess(image)
    torch.testing.assert_close(output.score[:, 0], SCORES["bce"].function(mask, found_codae))
    torch.testing.assert_close(output.score[:, 1], SCORES["excess"].function(image, found_excess))
    expected = SCORES["bce"].function(mask, found_codae) + loss(image, found_excess)
    torch.testing.assert_close(output.own_loss, expected)
    torch.testing.assert_close(score("excess2").function(image, output), output.score[:, 1])


def test_masks_alone_need_no_calorimeters() -> None:
    members = tuple(MemberConfig(member="heimel", score="sse") for _ in range(2))
    assert PairConfig(members=members).input_kind() == "coarse mask"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "z1"}, "a codae has no 'z1'"),
        ({"score": "energy"}, "expected one of bce"),
        ({"model": {"filtres": [8]}}, "filtres"),
        ({"member": "cct"}, "member"),
    ],
)
def test_wrong_members_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MemberConfig.model_validate({"member": "codae", "score": "bce"} | change)


def test_unknown_score_name() -> None:
    with pytest.raises(ConfigError, match="nothing1"):
        score("nothing1")


def test_train_and_export(background: Path, tmp_path: Path) -> None:
    train("pair", [background], tmp_path / "run", run_config("pair", {"training": SETTINGS}))
    export_run(tmp_path / "run", tmp_path / "pair.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "pair.onnx")
    images = load_background([background], "coarse E_T").dense(np.arange(4))
    found = session.run(["excess_tracks1", "missing_e_t2"], {"image": images.numpy()})
    with torch.no_grad():
        expected = load_model(tmp_path / "run")(images).score
    np.testing.assert_allclose(np.stack(found, 1), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def codae_run(background: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "codae"
    train("codae", [background], run, run_config("codae", {"model": SMALL_CODAE, "training": SETTINGS}))
    return run


def test_a_kept_member_stays_as_it_was_while_the_other_learns(
    background: Path, codae_run: Path, tmp_path: Path
) -> None:
    members = [{"member": "excess", "score": "missing_e_t"}, {"member": "codae", "score": "sae", "model": SMALL_CODAE}]
    training = SETTINGS | {"kept": [None, str(codae_run)]}
    kept = {"model": {"members": members}, "training": training}
    train("pair", [background], tmp_path / "pair", run_config("pair", kept))
    training["epochs"] = 2
    train("pair", [background], tmp_path / "pair", run_config("pair", kept), resume=True)
    trained, pair = load_model(codae_run), load_model(tmp_path / "pair")
    assert isinstance(pair, Pair)
    for name, value in pair.members[1].state_dict().items():
        torch.testing.assert_close(value, trained.state_dict()[name], rtol=0, atol=0)
    other = Pair(PairConfig(members=tuple(MemberConfig.model_validate(member) for member in members)))
    other.reset_parameters(torch_stream(42, "weights"))
    changed = [
        not torch.equal(value, other.members[0].state_dict()[name])
        for name, value in pair.members[0].state_dict().items()
    ]
    assert any(changed)


@pytest.mark.parametrize(
    ("kept", "change", "message"),
    [
        (("run",), {}, "1 given; expected 2, one for each member"),
        (("run", "run"), {}, "no member is left to learn"),
        ((None, "run"), {}, "holds a run of codae; expected excess"),
        (("run", None), {"filters": [8, 16], "groups": 2}, r"was trained with model .*; the member has"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    kept: Sequence[str | None], change: dict[str, object], message: str, codae_run: Path
) -> None:
    members = (
        MemberConfig(member="codae", score="sae", model=change or SMALL_CODAE),
        MemberConfig(member="excess", score="missing_e_t"),
    )
    with pytest.raises(TrainingError, match=message):
        keep(Pair(PairConfig(members=members)), [codae_run if name else None for name in kept])
