"""A trigger model as a teacher: one of its scores, for many events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from darktrigger.config import StrictModel
from darktrigger.errors import ConfigError, ModelFileError, TrainingError
from darktrigger.files import fingerprint
from darktrigger.progress import progress
from imaging.dense import INPUT_SHAPES
from ml.data import ImageData, PlainBatches
from ml.scores import Direction
from ml.threads import thread_map

_METADATA_KEY = "darktrigger"
_BATCH = 16


class TeacherRecord(StrictModel):
    """Who taught a student.

    Parameters
    ----------
    path, fingerprint
        Trigger model (ONNX).
    score
        Name of its score.
    direction
        Which end of that score is anomalous.
    """

    path: str
    fingerprint: str
    score: str
    direction: Direction


class Teacher:
    """One score of a trigger model (CONTRACTS.md, "Trigger model (ONNX)").

    Parameters
    ----------
    path
        ONNX file, of whatever maker.
    score
        Name of one of its scores.

    Raises
    ------
    UnreadableFileError, ModelFileError
        No ONNX file that keeps the contract.
    ConfigError
        It has no such score.
    """

    def __init__(self, path: Path, score: str) -> None:
        mark = fingerprint(path)
        options = onnxruntime.SessionOptions()
        # Batches go through side by side, each on a thread of its own.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's exceptions have no base class of their own.
        except Exception as error:  # noqa: BLE001
            raise ModelFileError(path, f"is not an ONNX model that can be run ({error})") from None
        metadata = self._metadata(path)
        try:
            self.kind = str(metadata["input"]["kind"])
            directions = {name: spec["direction"] for name, spec in metadata["scores"].items()}
            normalisation = metadata["input"].get("normalisation", "none")
        except (KeyError, TypeError, AttributeError):
            raise ModelFileError(path, "metadata lack the input's kind or the scores' directions") from None
        if self.kind not in INPUT_SHAPES or normalisation != "none":
            kinds = ", ".join(INPUT_SHAPES)
            raise ModelFileError(
                path, f"input is '{self.kind}', normalised by {normalisation}; expected one of {kinds}, by none"
            )
        if score not in directions:
            raise ConfigError(f"training.score: {path} has no score '{score}'; it has {', '.join(directions)}")
        self.record = TeacherRecord(path=str(path), fingerprint=mark, score=score, direction=directions[score])

    def _metadata(self, path: Path) -> dict[str, Any]:
        properties = self.session.get_modelmeta().custom_metadata_map
        try:
            metadata: dict[str, Any] = json.loads(properties[_METADATA_KEY])
        except KeyError:
            raise ModelFileError(path, f"has no '{_METADATA_KEY}' in its metadata_props") from None
        except ValueError as error:
            raise ModelFileError(path, f"metadata is not valid JSON ({error})") from None
        return metadata

    def scores(self, data: ImageData) -> NDArray[np.float32]:
        """Score of every event, with the sign that makes higher values the anomalous ones, shape (n,).

        Raises
        ------
        TrainingError
            A score is not finite.
        """
        batches = PlainBatches(data, np.arange(len(data)), batch_size=_BATCH)
        sign = np.float32(1 if self.record.direction == "higher" else -1)

        def run(index: int) -> NDArray[np.float32]:
            scores: NDArray[np.float32]
            (scores,) = self.session.run([self.record.score], {"image": batches[index].numpy()})
            return sign * scores

        parts = [np.empty(0, dtype=np.float32)]
        with progress("Asking the teacher", len(batches)) as advance, thread_map() as each:
            for part in each(run, range(len(batches))):
                parts.append(part)
                advance(1)
        score_N = np.concatenate(parts)
        if not np.isfinite(score_N).all():
            n_bad = int((~np.isfinite(score_N)).sum())
            raise TrainingError(
                f"{self.record.path}: score '{self.record.score}' is not finite for {n_bad} of {len(score_N)} events"
            )
        return score_N
