"""What a contributor adds in one file is found: a model with its score, a process, a detector card."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import generation.processes
import ml.models
from analysis.trigger import Trigger
from darktrigger.cli import app
from darktrigger.errors import ConfigError
from darktrigger.plugins import in_package, installed, joined
from generation.config import make_process
from generation.detector import load_card
from generation.processes import processes
from ml import registry
from ml.family import Family
from ml.registry import FAMILIES, added_families, family, score
from ml.scores import SCORES, Score

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Look for additions anew, before and after."""
    for cached in (added_families, processes):
        cached.cache_clear()
    yield
    for cached in (added_families, processes):
        cached.cache_clear()


def drop(package: ModuleType, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file into a package, without touching the repository."""
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])


def install(folder: Path, group: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder look like an installed package with one entry point."""
    record = folder / "theirs-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(str(folder))


def brightest(image_NCHW: torch.Tensor, output: Any) -> torch.Tensor:
    """A score that a contributor adds to ml/scores.py, for a model that does not know of it."""
    reconstruction_NCHW: torch.Tensor = output.reconstruction
    return reconstruction_NCHW.amax((1, 2, 3))


def test_a_model_with_a_score_in_one_file(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(ml.models, EXAMPLES / "tiny.py", tmp_path / "models", monkeypatch)
    monkeypatch.setitem(SCORES, "brightest", Score(brightest, "higher", families=("tiny",)))
    qcd = tmp_path / "qcd.parquet"
    train_config = tmp_path / "train.yaml"
    train_config.write_text("model: {hidden: 4}\ntraining: {epochs: 1, batch_size: 8}\n")
    for command in (
        ["image", str(data / "qcd.root"), "-o", str(qcd), "--process", "qcd"],
        ["train", "tiny", str(qcd), "-o", str(tmp_path / "run"), "--config", str(train_config)],
        ["export", str(tmp_path / "run"), "-o", str(tmp_path / "tiny.onnx")],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    trigger = Trigger(tmp_path / "tiny.onnx")
    assert trigger.metadata.family == "tiny"
    assert list(trigger.directions) == ["bce", "worst_pixel", "brightest"]
    assert family("codae") is FAMILIES["codae"]


def test_the_own_score_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(ml.models, EXAMPLES / "tiny.py", tmp_path / "models", monkeypatch)
    spec = family("tiny")
    model = spec.model(spec.config())
    image_NCHW = torch.zeros(3, 1, 72, 58)
    image_NCHW[1, 0, 4, 5] = 1
    output = model(image_NCHW)
    error_NCHW = (image_NCHW - output.reconstruction) ** 2
    assert torch.equal(score("worst_pixel").function(image_NCHW, output), error_NCHW.flatten(1).max(dim=1).values)
    assert score("bce") is SCORES["bce"]
    with pytest.raises(ConfigError, match="unknown score 'worst_pixl'; did you mean 'worst_pixel'"):
        score("worst_pixl")


def test_families_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="unknown family 'tiny'; valid families: cae, "):
        family("tiny")
    drop(ml.models, EXAMPLES / "tiny.py", tmp_path / "models", monkeypatch)
    added_families.cache_clear()
    assert family("tiny").scores == ("bce", "worst_pixel")
    with pytest.raises(ConfigError, match="unknown family 'tny'; did you mean 'tiny'"):
        family("tny")


def test_a_process_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pythia8mc

    drop(generation.processes, EXAMPLES / "heavy_z.py", tmp_path / "processes", monkeypatch)
    process = make_process("heavy-z", {"mass": 3000})
    settings = process.settings()  # type: ignore[attr-defined]
    assert "32:m0 = 3000.0" in settings
    pythia = pythia8mc.Pythia("", False)
    assert all(pythia.readString(setting) for setting in settings)
    with pytest.raises(ConfigError, match=r"expected one of qcd, .*, heavy-z, or a Pythia command file"):
        make_process("heavy", {})


def test_the_command_line_lists_an_added_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(generation.processes, EXAMPLES / "heavy_z.py", tmp_path / "processes", monkeypatch)
    result = CliRunner().invoke(app, ["generate", "heavy", "-o", str(tmp_path / "x.root")])
    assert result.exit_code == 2
    assert "heavy-z" in result.output


def test_plug_ins_of_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", registry.GROUP, "theirs", "their_model:FAMILY", monkeypatch)
    shutil.copy(EXAMPLES / "tiny.py", tmp_path / "site" / "their_model.py")
    assert family("theirs").own_scores.keys() == {"worst_pixel"}
    assert "theirs" not in FAMILIES


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("FAMILY = 3", "expected an object of type Family, found int"),
        ("import nothing_of_that_name", "cannot be loaded"),
    ],
)
def test_plug_ins_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str) -> None:
    module = f"broken_{len(code)}"
    install(tmp_path / "site", registry.GROUP, "theirs", f"{module}:FAMILY", monkeypatch)
    (tmp_path / "site" / f"{module}.py").write_text(f"{code}\n")
    with pytest.raises(ConfigError, match=message):
        family("theirs")


def test_plug_ins_do_not_replace_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", registry.GROUP, "codae", "second_codae:FAMILY", monkeypatch)
    shutil.copy(EXAMPLES / "tiny.py", tmp_path / "site" / "second_codae.py")
    with pytest.raises(ConfigError, match="two model families have the name 'codae'"):
        added_families()
    with pytest.raises(ConfigError, match="two scores have the name 'bce'"):
        joined("scores", dict(SCORES), {"bce": SCORES["sse"]})


def test_nothing_is_added_here() -> None:
    assert in_package(ml.models, "FAMILY", Family) == {}
    assert installed("darktrigger.nobody", object) == {}


def test_every_card_in_the_folder_is_found() -> None:
    names = [path.stem for path in (ROOT / "generation" / "cards").glob("*.yaml")]
    assert sorted(names) == sorted(load_card(name).name for name in names)


def test_a_card_in_one_file(tmp_path: Path) -> None:
    text = (ROOT / "generation" / "cards" / "cms.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("name: cms", "name: mine").replace("b_z: 3.8", "b_z: 2.0"))
    card = load_card(path)
    assert (card.name, card.solenoid.b_z) == ("mine", 2.0)
