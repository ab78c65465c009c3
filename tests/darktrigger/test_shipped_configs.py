"""Every configuration that comes with the project can be used."""

import json
import re
from pathlib import Path

import pytest

from analysis.estimation.config import DecorrelateConfig, EstimateConfig
from darktrigger.chain.config import ChainConfig
from darktrigger.config import load_config, read_yaml
from darktrigger.pretrained import pretrained_models
from ml.config import run_config
from ml.models.pair import PairTraining

CONFIGS = Path(__file__).parents[2] / "configs"
TRAININGS = [
    *sorted((CONFIGS / "pretrained").glob("*.yaml")),
    *(CONFIGS / f"{name}.yaml" for name in ("jet-ae", "nae", "nae-tops", "nae-dark")),
]


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_trainings(path: Path) -> None:
    model = pretrained_models().get(path.stem)
    recipe_of = re.sub("^nae-.*", "nae", path.stem)
    family = json.loads(model.with_suffix(".json").read_text())["family"] if model else recipe_of
    training = run_config(family, read_yaml(path), str(path)).training
    assert training.schedule == ("constant" if path.stem == "nae-dark" else "cosine")


def test_the_recipe_of_a_codae_with_a_partner() -> None:
    config = run_config("pair", read_yaml(CONFIGS / "codae-pair.yaml"), "codae-pair.yaml")
    assert isinstance(config.training, PairTraining)
    assert len(config.training.kept) == len(config.model.members)


def test_recipes_are_of_shipped_models() -> None:
    recipes = {path.stem for path in (CONFIGS / "pretrained").glob("*.yaml")}
    assert recipes == set(pretrained_models()) - {"excess"}


@pytest.mark.parametrize("name", ["demo", "delphes", "production"])
def test_chains(name: str) -> None:
    assert load_config(ChainConfig, CONFIGS / f"{name}.yaml").fileset


@pytest.mark.parametrize("settings", [DecorrelateConfig, EstimateConfig])
def test_shares_of_the_lepton_samples(settings: type[DecorrelateConfig | EstimateConfig]) -> None:
    samples = load_config(settings, CONFIGS / "leptons-background.yaml").background
    assert sum(sample.share or 0 for sample in samples) == pytest.approx(1)
