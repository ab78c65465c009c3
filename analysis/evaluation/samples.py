"""Scores and reconstructions of the events of one class and mass; on disk without pickles."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.quality import Quality
from analysis.evaluation.rows import Column
from darktrigger.files import atomic_path

Float32Array = NDArray[np.float32]


class Key(NamedTuple):
    """A sample is told by label and mass (GeV); background is one sample whatever its mass.

    Its key is (0, 0) whatever class is background; where another one is, label 0 has the key
    :data:`LABEL_0_AS_SIGNAL`.
    """

    label: int
    mass: float


BACKGROUND, LABEL_0_AS_SIGNAL = Key(0, 0.0), Key(256, 0.0)


class Points(NamedTuple):
    """Some events of a sample as points: images (n, C H W) as the network sees them, and latents (n, K)."""

    image: Float32Array
    latent: Float32Array


class Worst(NamedTuple):
    """The events of a sample that a model rebuilds worst, those with the largest error first.

    Parameters
    ----------
    error
        Mean squared difference of the pixels, shape (n,).
    image, reconstruction
        Shape (n, C, H, W).
    latent
        Shape (n, K).
    """

    error: Float32Array
    image: Float32Array
    reconstruction: Float32Array
    latent: Float32Array

    @classmethod
    def of(cls, image: Float32Array, reconstruction: Float32Array, latent: Float32Array) -> Worst:
        """Events as they come."""
        error = np.square(image - reconstruction).mean(axis=(1, 2, 3), dtype=np.float64)
        return cls(error.astype(np.float32), image, reconstruction, latent)

    @classmethod
    def joined(cls, parts: Sequence[Worst], most: int) -> Worst:
        """The worst of all; of equals, the first."""
        every = cls(*map(np.concatenate, zip(*parts, strict=True)))
        order = np.argsort(-every.error, kind="stable")[:most]
        return cls(*(column[order] for column in every))


class Example(NamedTuple):
    """An event's input and what the model makes of it, shape (C, H, W) each."""

    image: Float32Array
    reconstruction: Float32Array


@dataclass
class Sample:
    """Events of one class and mass.

    Parameters
    ----------
    weight
        Shape (n,).
    scores
        Oriented scores, shape (n,) each; NaN where a file does not tell (baselines).
    quality
        Of the reconstructions of each model that gives them, by its path.
    examples
        The first events with their reconstructions, by the model's path.
    points
        The first events as points, by the path of each model that gives its latents.
    worst
        The events with the largest error of reconstruction, by the path of each such model.
    """

    weight: FloatArray
    scores: dict[Column, Float32Array]
    quality: dict[str, Quality]
    examples: dict[str, list[Example]]
    points: dict[str, Points] = field(default_factory=dict)
    worst: dict[str, Worst] = field(default_factory=dict)


_RECORD = "record"
_FIGURES = tuple(item.name for item in fields(Quality))


def save_samples(path: Path, samples: Mapping[Key, Sample]) -> None:
    """Write samples, whole or not at all.

    Raises
    ------
    DarktriggerError
        The disk is full, or the folder cannot be written.
    """
    record: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for number, (key, sample) in enumerate(samples.items()):
        record.append(
            {
                "key": list(key),
                "columns": [list(column) for column in sample.scores],
                "quality": list(sample.quality),
                "examples": list(sample.examples),
                "points": list(sample.points),
                "worst": list(sample.worst),
            }
        )
        arrays[f"{number}/weight"] = sample.weight
        arrays |= {f"{number}/scores/{i}": values for i, values in enumerate(sample.scores.values())}
        for i, quality in enumerate(sample.quality.values()):
            arrays |= {f"{number}/quality/{i}/{name}": getattr(quality, name) for name in _FIGURES}
        for i, examples in enumerate(sample.examples.values()):
            arrays[f"{number}/image/{i}"] = np.array([example.image for example in examples])
            arrays[f"{number}/reconstruction/{i}"] = np.array([example.reconstruction for example in examples])
        for i, points in enumerate(sample.points.values()):
            arrays |= {f"{number}/points/{i}/{name}": getattr(points, name) for name in Points._fields}
        for i, worst in enumerate(sample.worst.values()):
            arrays |= {f"{number}/worst/{i}/{name}": getattr(worst, name) for name in Worst._fields}
    with atomic_path(path) as temporary:
        np.savez(temporary, **{_RECORD: np.array(json.dumps(record))}, **arrays)  # type: ignore[arg-type]


def load_samples(path: Path) -> dict[Key, Sample] | None:
    """Read what :func:`save_samples` wrote; None where there is nothing, or it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            record = json.loads(str(stored[_RECORD]))
            arrays = {name: stored[name] for name in stored.files if name != _RECORD}
            return {Key(*entry["key"]): _sample(entry, str(number), arrays) for number, entry in enumerate(record)}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError):
        return None


def _sample(entry: Mapping[str, Any], prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Sample:
    return Sample(
        arrays[f"{prefix}/weight"],
        {Column(*column): arrays[f"{prefix}/scores/{i}"] for i, column in enumerate(entry["columns"])},
        {
            path: Quality(*(arrays[f"{prefix}/quality/{i}/{name}"] for name in _FIGURES))
            for i, path in enumerate(entry["quality"])
        },
        {
            path: [
                Example(*pair)
                for pair in zip(arrays[f"{prefix}/image/{i}"], arrays[f"{prefix}/reconstruction/{i}"], strict=True)
            ]
            for i, path in enumerate(entry["examples"])
        },
        {
            path: Points(*(arrays[f"{prefix}/points/{i}/{name}"] for name in Points._fields))
            for i, path in enumerate(entry["points"])
        },
        {
            path: Worst(*(arrays[f"{prefix}/worst/{i}/{name}"] for name in Worst._fields))
            for i, path in enumerate(entry["worst"])
        },
    )
