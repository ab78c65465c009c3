"""Model card of a pretrained trigger: how it was made, from the ONNX file, and its figures, from an evaluation.

    python scripts/model_card.py ml/pretrained/excess.onnx EVALUATION_DIR

writes ``excess.json`` beside the ONNX file. The evaluation has to be of this very file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from analysis.training_events import trainings
from analysis.trigger import Trigger
from darktrigger.errors import DarktriggerError
from darktrigger.files import fingerprint, read_json, write_json


def card(model: Path, evaluation: Path) -> dict[str, Any]:
    """What the card says.

    Raises
    ------
    DarktriggerError
        The evaluation is of another file.
    """
    found = read_json(evaluation / "evaluation.json")
    mine = fingerprint(model)
    names = [entry["name"] for entry in found["models"] if mine in entry["files"].values()]
    if not names:
        raise DarktriggerError(f"{evaluation}: is no evaluation of {model} (fingerprint {mine[:12]})")
    metadata = Trigger(model).metadata.model_dump(mode="json")
    # Names of files on the machine of the training mean nothing elsewhere.
    training = metadata["training"]
    for lesson in [*trainings(training), metadata.get("decorrelated")]:
        if lesson:
            lesson["files"] = {Path(path).name: key for path, key in lesson["files"].items()}
    if training.get("teacher"):
        training["teacher"]["path"] = Path(training["teacher"]["path"]).name
    rebuilt = [item["figures"] for item in found["reconstruction"] if item["model"] in names and item.get("figures")]
    return {
        "name": model.stem,
        "fingerprint": mine,
        "size_bytes": model.stat().st_size,
        **metadata,
        "evaluation": {
            "weights": found["config"]["weights"],
            "background_entries": found["config"]["background_entries"],
            "signal_entries": found["config"]["signal_entries"],
            "samples": found["samples"],
            "auroc_percent": _figures(found["auroc"], names),
            "fpr_percent_at_40_percent_tpr": _figures(found["fpr"], names),
            "reconstruction_of_background": {
                name: round(figure["value"], 4) for figures in rebuilt for name, figure in figures.items()
            },
        },
    }


def _figures(items: list[dict[str, Any]], names: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Value and interval by score and benchmark, of this model and of the baselines."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for item in items:
        if item["model"] in (*names, ""):
            figures.setdefault(item["score"], {})[item["column"]] = {
                key: round(item[key], 3) for key in ("value", "low", "high") if item[key] is not None
            }
    return figures


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("evaluation", type=Path)
    options = parser.parse_args()
    write_json(options.model.with_suffix(".json"), card(options.model, options.evaluation))


if __name__ == "__main__":
    main()
