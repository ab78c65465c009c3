"""Folders that a user hands on: training runs (``export``, ``train --resume``) and analyses (``plot``)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from analysis.analyze import analyze
from analysis.config import AnalysisConfig
from analysis.fileset import read_fileset
from analysis.trigger import Trigger
from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.plain_data import spoil
from benchmarks.fuzz.samples import write_fileset, write_samples
from benchmarks.fuzz.trap import Trap
from benchmarks.fuzz.yaml_text import spoil_text
from darktrigger.pretrained import pretrained_models
from ml.config import run_config
from ml.training import train

_TRAINING = {"epochs": 1, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}


class RunFolders:
    """Byte mutations of any of their files, and sound files with wrong content, pickled code among them."""

    def prepare(self, valid: Path) -> None:
        """A finished training and a finished analysis."""
        write_samples(valid, 8)
        train("excess", [valid / "qcd.parquet"], valid / "run", run_config("excess", {"training": _TRAINING}))
        fileset = write_fileset(valid / "fileset.yaml", valid / "qcd.root", valid / "suep1000.root")
        settings = AnalysisConfig.model_validate(
            {"axes": {"score_bins": 50, "plane_bins": 20}, "abcd": {"pairs": [["excess", "n_tracks"]]}}
        )
        analyze(read_fileset(fileset), Trigger(pretrained_models()["excess"]), settings, valid / "analysis")

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """An export, and plots."""
        shutil.copytree(valid / "analysis", folder / "analysis")
        return [["export", str(valid / "run"), "-o", str(folder / "trigger.onnx")], ["plot", str(folder / "analysis")]]

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file in a copy of one of the folders."""
        which = rng.random()
        if which < 0.35:
            copy = folder / OUT
            shutil.copytree(valid / "analysis", copy, ignore=shutil.ignore_patterns("plots"))
            _spoil_text_file(copy / str(rng.choice(["config.yaml", "summary.json", "histograms.json"])), folder, rng)
            return ["plot", str(copy)]
        copy = folder / (OUT if which < 0.6 else "run")
        shutil.copytree(valid / "run", copy)
        name = str(rng.choice(["config.yaml", "run.json", "calibration.json", "best.ckpt", "last.ckpt"]))
        if name.endswith(".ckpt"):
            _spoil_checkpoint(copy / name, folder, rng)
        else:
            _spoil_text_file(copy / name, folder, rng)
        if copy.name == OUT:
            return ["train", "excess", str(valid / "qcd.parquet"), "-o", str(copy), "--resume", "--epochs", "2"]
        return ["export", str(copy), "-o", str(folder / OUT / "trigger.onnx")]


def _spoil_text_file(path: Path, folder: Path, rng: np.random.Generator) -> None:
    text = path.read_text()
    if rng.random() < 0.1:
        path.unlink()
    elif rng.random() < 0.3:
        path.write_bytes(mutate(text.encode(), rng))
    elif path.suffix == ".json":
        path.write_text(json.dumps(spoil(json.loads(text), rng), default=str))
    elif rng.random() < 0.5:
        path.write_text(yaml.safe_dump(spoil(yaml.safe_load(text), rng)), encoding="utf-8")
    else:
        path.write_bytes(spoil_text(text, folder, rng))


def _spoil_checkpoint(path: Path, folder: Path, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        path.write_bytes(mutate(path.read_bytes(), rng))
        return
    checkpoint: Any = torch.load(path, weights_only=True)
    which = int(rng.integers(6))
    if which == 0:
        checkpoint["state_dict"]["trap"] = Trap(str(folder / "sprung"))
    elif which == 1:
        checkpoint = Trap(str(folder / "sprung"))
    elif which == 2:
        checkpoint = (None, [], {}, torch.zeros(3), "text", {"state_dict": None})[int(rng.integers(6))]
    elif which == 3:
        del checkpoint[list(checkpoint)[int(rng.integers(len(checkpoint)))]]
    elif which == 4:
        checkpoint["state_dict"] = _weights(checkpoint["state_dict"], rng)
    else:
        key = list(checkpoint)[int(rng.integers(len(checkpoint)))]
        if key != "state_dict":
            checkpoint[key] = spoil(checkpoint[key], rng)
    torch.save(checkpoint, path, _use_new_zipfile_serialization=bool(rng.random() < 0.7))


def _weights(state: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """One weight renamed, of another shape or type, not finite, or lost."""
    key = list(state)[int(rng.integers(len(state)))]
    changes: tuple[dict[str, Any], ...] = (
        {f"{key}x": state[key]}, {key: state[key][:0] if state[key].ndim else state[key]},
        {key: state[key].double()}, {key: torch.full_like(state[key], torch.nan)}, {key: torch.zeros(3, 3, 3)},
        {key: None}, {key: state[key].bool()}, {key: state[key].to_sparse()}, {},
)  # fmt: skip
    rest = {name: value for name, value in state.items() if name != key}
    return rest | changes[int(rng.integers(len(changes)))]
