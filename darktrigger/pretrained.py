"""Trigger models that come with darktrigger, found by name."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from darktrigger.errors import ConfigError


def pretrained_models() -> dict[str, Path]:
    """Name and ONNX file of each model in ``ml/pretrained``; a card (JSON) of the same name lies beside it."""
    folder = Path(str(resources.files("ml"))) / "pretrained"
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def trigger_path(trigger: str | Path, folder: Path | None = None) -> Path:
    """The file of a trigger model: the name of a pretrained one, or a path, relative to ``folder``.

    A file of that name goes before a pretrained model. A path need not exist: that is for its reader to say.

    Raises
    ------
    ConfigError
        A bare name that no pretrained model has.
    """
    path = Path(folder or "", trigger)
    # Unlike Path.exists, a name that no file can have is no error here.
    if os.path.exists(path) or path.suffix:  # noqa: PTH110
        return path
    models = pretrained_models()
    if str(trigger) not in models:
        raise ConfigError(
            f"trigger '{trigger}': no such file, nor a pretrained model; those are {', '.join(models) or 'none'}"
        )
    return models[str(trigger)]
