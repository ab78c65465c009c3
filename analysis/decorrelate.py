"""``darktrigger decorrelate``: two scores of a trigger model made independent in background, after its training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import onnx

from analysis.estimation.config import DecorrelateConfig
from analysis.estimation.events import Events, ScoreChoice, read_background
from analysis.estimation.rarity import RARITIES, learn_rarities
from analysis.estimation.rarity_graph import RarityGraph
from analysis.training_events import warn_of_training_events
from analysis.trigger import METADATA_KEY, Direction, Trigger
from darktrigger.errors import ConfigError
from darktrigger.files import atomic_path, fingerprint
from darktrigger.provenance import versions


def decorrelate(
    trigger: Trigger,
    scores: tuple[str, str],
    paths: Sequence[str],
    output: Path,
    config: DecorrelateConfig | None = None,
) -> int:
    """Write a trigger model that has ``rarity1`` and ``rarity2`` too.

    ``rarity1`` is -ln of the background efficiency of a cut at the first score; so is ``rarity2`` of the second
    score, among background with the same first score. See :class:`analysis.estimation.rarity.Rarities`.

    Parameters
    ----------
    trigger
        Model with both scores.
    scores
        Their names; the second one is made independent of the first.
    paths
        Files of events; label 0 is background, others are left out.
    output
        ONNX file; settings and files are noted in its metadata.
    config
        Settings.

    Returns
    -------
    int
        Background events that were learnt from.

    Raises
    ------
    ConfigError
        A score that is not the model's, or one score twice; a model that has rarities already, or would be lost.
    AnalysisError
        No background, or scores of it that are not finite or all the same.
    InputFileError
        A bad file, or one that the model cannot be fed with.
    """
    config, directions = config or DecorrelateConfig(), trigger.directions
    for name in scores:
        if name not in directions:
            raise ConfigError(f"scores: {trigger.path} has no score '{name}'; it has {', '.join(directions)}")
    if Path(output).resolve() == Path(trigger.path).resolve():
        raise ConfigError(f"{output}: is the model itself, which would be lost; write another file")
    if scores[0] == scores[1]:
        raise ConfigError(f"scores: '{scores[0]}' is named twice")
    if found := [name for name in RARITIES if name in directions]:
        raise ConfigError(f"{trigger.path}: has {' and '.join(found)} already; give the model that it was made from")
    background, files = read_background(ScoreChoice(trigger, scores), paths, config)
    warn_of_training_events([trigger], files, [config.background_entries])
    rarities = learn_rarities(*background.pair, config.cell_events, config.prior_events)
    trigger.check_unchanged()
    model = onnx.load(trigger.path)
    signs = directions[scores[0]].sign, directions[scores[1]].sign
    RarityGraph(model.graph, rarities).add(scores, signs, RARITIES)
    _describe(model, scores, files, background, config)
    onnx.checker.check_model(model)
    with atomic_path(output) as temporary:
        onnx.save(model, temporary)
    return len(background)


def _describe(
    model: onnx.ModelProto, scores: tuple[str, str], files: Sequence[str], background: Events, config: DecorrelateConfig
) -> None:
    """Note in the metadata the new scores and where they are from."""
    properties = {entry.key: entry.value for entry in model.metadata_props}
    metadata = json.loads(properties[METADATA_KEY])
    metadata["scores"] |= {name: {"direction": Direction.HIGHER.value} for name in RARITIES}
    metadata["decorrelated"] = {
        "scores": list(scores),
        "events": len(background),
        "effective_events": background.n_effective,
        "files": {path: fingerprint(path) for path in files},
        "config": config.model_dump(mode="json"),
        "versions": versions("numpy", "onnx"),
    }
    onnx.helper.set_model_props(model, properties | {METADATA_KEY: json.dumps(metadata)})
