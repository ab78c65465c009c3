"""Run folders from elsewhere: nothing is unpickled, and what does not fit is refused."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from darktrigger.errors import DarktriggerError, ModelFileError
from ml.run_folder import load_checkpoint, load_model


def spring(path: str) -> None:
    Path(path).write_text("sprung")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return spring, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_are_never_unpickled(tmp_path: Path, zipped: bool) -> None:
    path, trap = tmp_path / "best.ckpt", Trap(tmp_path / "mark")
    for content in (trap, {"state_dict": {"weight": trap}}):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
            load_checkpoint(path)
    path.write_bytes(pickle.dumps(trap))
    with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
        load_checkpoint(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("content", [None, [], {}, torch.zeros(3), {"state_dict": None}, {"state_dict": {"a": "b"}}])
def test_what_is_no_checkpoint(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(ModelFileError, match="no state_dict of tensors"):
        load_checkpoint(tmp_path / "x.ckpt")


def test_zeros_in_the_place_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(bytes(4096))
    with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "x.ckpt")


CHANGES: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "another shape": (lambda _: torch.zeros(3, 3, 3), "does not fit the model"),
    "not finite": (lambda weight: torch.full_like(weight, torch.nan), "is not finite"),
    "absent": (lambda _: None, "no state_dict of tensors"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_weights_that_do_not_fit(trained_run: Path, tmp_path: Path, case: str) -> None:
    change, message = CHANGES[case]
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    checkpoint = torch.load(run / "best.ckpt", weights_only=True)
    key = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][key] = change(checkpoint["state_dict"][key])
    torch.save(checkpoint, run / "best.ckpt")
    with pytest.raises(DarktriggerError, match=message):
        load_model(run)
