"""Leaving out what takes seconds and reads no input: drawing, and tracing a model for export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnx
import torch

from benchmarks.fuzz.trigger import counting_model
from darktrigger.files import write_text
from darktrigger.pretrained import pretrained_models
from imaging.dense import INPUT_SHAPES, coarse_e_t, fine
from imaging.image_set import ImageSet
from ml.export import Scorer


@contextmanager
def cheap() -> Iterator[None]:
    """Everything else is done as ever: inputs are read whole, figures computed, tables and histograms written."""
    replaced: dict[str, Any] = {
        "analysis.analyze.draw_all": lambda *_: (),
        "analysis.evaluate.draw_evaluation": lambda *_: [],
        "generation.validation_plots.draw_comparisons": lambda *_: None,
        "imaging.display.draw_event": _event,
        "darktrigger.chain.rows.draw_event": _event,
        "ml.training.plot_curves": lambda *_: None,
        "ml.export.to_onnx": _untraced,
    }
    with ExitStack() as stack:
        for name, replacement in replaced.items():
            stack.enter_context(patch(name, replacement))
        yield


def _event(event: ImageSet, title: str, output: str | Path) -> None:
    sums = fine(event.images).sum(), coarse_e_t(event.images).sum()
    write_text(output, f"{title} {sums} {event.ht} {event.n_tracks} IEND")


def _untraced(scorer: Scorer, input_kind: str) -> onnx.ModelProto:
    """The model is run once, and another one put out."""
    with torch.inference_mode():
        scorer.eval()(torch.zeros(2, *INPUT_SHAPES[input_kind]))
    return counting_model() if input_kind == "coarse mask" else onnx.load(pretrained_models()["excess"])
