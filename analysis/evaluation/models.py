"""Which trigger models belong together: one training setup with several seeds is one model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError


@dataclass(frozen=True)
class Model:
    """A trigger model, or several that differ by seed alone.

    Parameters
    ----------
    name
        Its family, with the name of the file where models of one family would be confused.
    family
        Family that the files name.
    triggers
        The files, by seed.
    """

    name: str
    family: str
    triggers: tuple[Trigger, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Seed of each file."""
        return tuple(trigger.metadata.seed for trigger in self.triggers)

    @property
    def power(self) -> float | None:
        """Power of p_T in the pixels of jets, where the files tell."""
        config = self.triggers[0].metadata.config
        front = config.get("front") if isinstance(config, Mapping) else None
        power = front.get("power") if isinstance(front, Mapping) and self.triggers[0].takes_jets else None
        return float(power) if isinstance(power, int | float) else None


def group_models(triggers: Sequence[Trigger]) -> tuple[Model, ...]:
    """Models in the order given; those that differ by seed alone become one.

    Raises
    ------
    AnalysisError
        One file is given twice.
    """
    twice = [path for path, count in Counter(trigger.fingerprint for trigger in triggers).items() if count > 1]
    if twice:
        same = [trigger.path for trigger in triggers if trigger.fingerprint == twice[0]]
        raise AnalysisError(f"{same[1]}: the same model as {same[0]}")
    groups: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        groups.setdefault(_setup(trigger), []).append(trigger)
    members = [part for group in groups.values() for part in _with_different_seeds(group)]
    of_family = Counter(part[0].metadata.family for part in members)
    models = tuple(Model(_name(part, of_family), part[0].metadata.family, part) for part in members)
    clash = [name for name, count in Counter(model.name for model in models).items() if count > 1]
    if clash:
        raise AnalysisError(f"two models are named '{clash[0]}': give their files different names")
    return models


def _setup(trigger: Trigger) -> str:
    """All that makes a model but its seed."""
    metadata = trigger.metadata.model_dump(include={"family", "config", "input", "scores", "training", "precision"})
    # Where a latent's anomalous end lies is an accident of the seed.
    return json.dumps(metadata | {"scores": list(metadata["scores"])}, sort_keys=True, default=str)


def _with_different_seeds(group: list[Trigger]) -> list[tuple[Trigger, ...]]:
    """The whole group if every model has a seed of its own, else each model by itself."""
    seeds = [trigger.metadata.seed for trigger in group]
    if None in seeds or len(set(seeds)) < len(seeds):
        return [(trigger,) for trigger in group]
    return [tuple(sorted(group, key=lambda trigger: trigger.metadata.seed or 0))]


def _name(members: tuple[Trigger, ...], of_family: Counter[str]) -> str:
    family = members[0].metadata.family
    return family if of_family[family] == 1 else f"{family} ({Path(members[0].path).stem})"
