"""YAML: settings of every stage, filesets, detector cards and the config of the whole chain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhepmc
import yaml

from analysis.config import AnalysisConfig
from analysis.evaluation.config import EvaluationConfig
from benchmarks.fuzz.hepmc import event
from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.plain_data import spoil
from benchmarks.fuzz.samples import QUICK, write_fileset, write_samples
from benchmarks.fuzz.yaml_text import spoil_text
from darktrigger.pretrained import pretrained_models
from imaging.config import ImagingConfig
from ml.config import run_config

_CARDS = Path(__file__).parents[2] / "generation" / "cards"

_SMALL: dict[str, dict[str, Any]] = {
    "excess": {},
    "codae": {"filters": [8, 8], "groups": 2, "z_channels": 4},
    "codvae": {"filters": [8, 8], "groups": 2, "z_channels": 4, "draws": 2, "components": 2},
    "dirichlet": {"units": 16},
    "student": {},
}

_TRAINING = {"epochs": 1, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}

#: Names that datasets, processes and legends must survive, or be refused for.
_NAMES = (
    "../../escaped",
    "/etc/escaped",
    "..",
    ".",
    "",
    "a/b",
    "a\x00b",
    "x" * 300,
    "a\nb",
    "$x",
    "é☃",
    "%s",
    "-o",
    " ",
    "~",
)

#: How many epochs a training may be told to take here; more are no error, they only take long.
_EPOCHS = 2

Make = Callable[[np.random.Generator, Path, Path], tuple[Any, list[str]]]


class Configs:
    """Sound data spoilt by structure or as text."""

    def prepare(self, valid: Path) -> None:
        """Samples, a HepMC file, and a fileset."""
        write_samples(valid, 8)
        write_fileset(valid / "fileset.yaml", valid / "qcd.root", valid / "suep1000.root")
        with pyhepmc.open(str(valid / "events.hepmc"), "w", format="hepmc3") as stream:
            stream.write(event(0))

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """Every stage on its own, with the default settings."""
        qcd, suep = str(valid / "qcd"), str(valid / "suep1000")
        fileset = ["analyze", str(valid / "fileset.yaml"), "--trigger", "excess"]
        return [
            ["image", f"{qcd}.root", "-o", str(folder / "images.parquet")],
            ["train", "excess", f"{qcd}.parquet", "-o", str(folder / "run"), "--epochs", "1"],
            ["export", str(folder / "run"), "-o", str(folder / "trigger.onnx")],
            ["evaluate", "excess", f"{qcd}.parquet", f"{suep}.parquet", "-o", str(folder / "evaluation"),
             "--config", str(valid / "quick.yaml")],
            [*fileset, "-o", str(folder / "analysis")],
            ["simulate", str(valid / "events.hepmc"), "-o", str(folder / "events.root"), "--pileup", "0",
             "--workers", "1", "--detector", "embedded"],
        ]  # fmt: skip

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file for one of the commands that read YAML."""
        makes = list(_STAGES)
        make = makes[int(rng.choice(len(makes), p=list(_STAGES.values())))]
        data, arguments = make(rng, valid, folder)
        path = folder / "bad.yaml"
        if rng.random() < 0.7:
            data = _tamed(spoil(data, rng, ("executor", "style", "axes", "branches", "tree", "training", "model")))
            path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        else:
            path.write_bytes(spoil_text(yaml.safe_dump(data, sort_keys=False), folder, rng))
        return arguments


def _tamed(data: Any) -> Any:
    """The same, without a training of years."""
    if isinstance(data, dict):
        return {key: _EPOCHS if key == "epochs" and _long(value) else _tamed(value) for key, value in data.items()}
    return data


def _long(value: Any) -> bool:
    return isinstance(value, int | float) and value > _EPOCHS


def _image(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:  # noqa: ARG001
    data = ImagingConfig().model_dump(mode="json")
    data["branches"] = {"trk": {"e_t": "Track.PT", "eta": "Track.EtaOuter", "phi": "Track.PhiOuter"}}
    arguments = ["image", str(valid / "qcd.root"), "-o", str(folder / OUT / "images.parquet"), "--config"]
    return data, [*arguments, str(folder / "bad.yaml")]


def _train(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:
    family = str(rng.choice(list(_SMALL)))
    training: dict[str, Any] = dict(_TRAINING)
    if family == "student":
        training |= {"teacher": str(pretrained_models()["excess"]), "score": "excess"}
    data = run_config(family, {"model": _SMALL[family], "training": training}).model_dump(mode="json")
    images = [str(valid / "qcd.parquet"), *([str(valid / "suep1000.parquet")] if family == "dirichlet" else [])]
    return data, ["train", family, *images, "-o", str(folder / OUT), "--config", str(folder / "bad.yaml")]


def _evaluate(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:  # noqa: ARG001
    data = EvaluationConfig.model_validate(QUICK).model_dump(mode="json")
    images = [str(valid / "qcd.parquet"), str(valid / "suep1000.parquet")]
    return data, ["evaluate", "excess", *images, "-o", str(folder / OUT), "--config", str(folder / "bad.yaml")]


def _analyze(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:  # noqa: ARG001
    data = AnalysisConfig().model_dump(mode="json")
    data["abcd"] |= {"pairs": [["excess", "n_tracks"]], "thresholds": [[0.0, 100.0]]}
    data["axes"] |= {"score_bins": 50, "plane_bins": 20}
    arguments = ["analyze", str(valid / "fileset.yaml"), "--trigger", "excess", "-o", str(folder / OUT), "--config"]
    return data, [*arguments, str(folder / "bad.yaml")]


def _fileset(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:
    data = _datasets(valid, rng)
    return data, ["analyze", str(folder / "bad.yaml"), "--trigger", "excess", "-o", str(folder / OUT)]


def _datasets(valid: Path, rng: np.random.Generator) -> dict[str, Any]:
    """A fileset, in half of the cases with a strange name of a dataset, process or legend."""
    entries = {"modulo": 2, "keep": [0]}
    data: dict[str, Any] = {
        "qcd": {
            "files": {str(valid / "qcd.root"): "Delphes"},
            "metadata": {"process": "qcd", "label": 0, "cross_section": 1e8, "entries": entries, "legend": "QCD"},
        },
        "suep1000": {
            "files": [str(valid / "suep1000.root")],
            "metadata": {"process": "suep", "label": 1, "mass": 1000.0, "legend": "SUEP"},
        },
    }
    name = _NAMES[int(rng.integers(len(_NAMES)))]
    which = rng.random()
    if which < 0.2:
        data[name] = data.pop("suep1000")
    elif which < 0.5:
        data["suep1000"]["metadata"]["process" if which < 0.35 else "legend"] = name
    return data


def _simulate(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:  # noqa: ARG001
    data = {
        "process": {},
        "pileup": {"mean": 0, "pool": {"events": 10}},
        "detector": {"program": "embedded", "card": "cms"},
        "batch_events": 10,
    }
    # No pile-up: a pool would be generated for every other setting of it.
    arguments = ["simulate", str(valid / "events.hepmc"), "-o", str(folder / OUT / "events.root"), "--pileup", "0"]
    return data, [*arguments, "--workers", "1", "--config", str(folder / "bad.yaml")]


def _card(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:
    data = yaml.safe_load((_CARDS / f"{rng.choice(['cms', 'atlas'])}.yaml").read_text())
    arguments = ["simulate", str(valid / "events.hepmc"), "-o", str(folder / OUT / "events.root"), "--pileup", "0"]
    return data, [*arguments, "--workers", "1", "--detector", "embedded", "--card", str(folder / "bad.yaml")]


def _chain(rng: np.random.Generator, valid: Path, folder: Path) -> tuple[Any, list[str]]:
    data = {
        "output": str(folder / OUT),
        "seed": 1,
        "fileset": _datasets(valid, rng),
        "imaging": {"selection": {"ht_min": 400.0}},
        "model": {"family": "excess", "training": {**_TRAINING}, "entries": {"modulo": 2, "keep": [1]}},
        "precision": "fp32",
        "analyze_with": "excess",
        "analysis": {"axes": {"score_bins": 50}},
        "displays": 1,
    }
    return data, ["run", str(folder / "bad.yaml"), "-o", str(folder / OUT)]


#: Stage and its share of the cases; the whole chain takes longest.
_STAGES: dict[Make, float] = {
    _image: 0.15, _train: 0.15, _evaluate: 0.1, _analyze: 0.15, _fileset: 0.15, _simulate: 0.1, _card: 0.15,
    _chain: 0.05,
}  # fmt: skip
