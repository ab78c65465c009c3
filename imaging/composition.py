"""What the background is made of: samples of several processes, each with its cross-section or its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from darktrigger.config import StrictModel
from darktrigger.errors import ConfigError


class BackgroundSample(StrictModel):
    """Files of one process, which count together.

    Parameters
    ----------
    files
        Pattern of their names, such as ``w*.parquet``, with folders where it has some: ``w/*.parquet``.
    cross_section
        Before any selection, pb; the events generated in all these files together stand for it.
    share
        Of all background that is used, after the preselection; shares need not sum to one.
    """

    files: Annotated[str, Field(min_length=1)]
    cross_section: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    share: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if not PurePath(self.files).name:
            raise ValueError(f"files: '{self.files}' names no file")
        if (self.cross_section is None) == (self.share is None):
            raise ValueError(f"'{self.files}' needs either a cross_section or a share")
        return self


def _consistent(samples: tuple[BackgroundSample, ...]) -> tuple[BackgroundSample, ...]:
    if len({sample.share is None for sample in samples}) > 1:
        raise ValueError("expected a cross_section for all samples or a share for all, found both")
    patterns = [sample.files for sample in samples]
    if repeated := [pattern for pattern in dict.fromkeys(patterns) if patterns.count(pattern) > 1]:
        raise ValueError(f"'{repeated[0]}' is named twice")
    return samples


#: Samples that make up the background; none: the weights are left as they are.
Composition = Annotated[tuple[BackgroundSample, ...], AfterValidator(_consistent)]


class SumOfWeights(NamedTuple):
    """Of one file's background: of the events that are used, and before the preselection, None if not known."""

    used: float
    read: float | None


def weight_factors(samples: Sequence[BackgroundSample], files: Mapping[str, SumOfWeights]) -> dict[str, float]:
    """What the weights of each file's background are to be multiplied by; their scale has no meaning.

    Raises
    ------
    ConfigError
        A file of no sample or of several, a sample without files or events, or a cross-section for a file that does
        not tell how many events were generated.
    """
    members: dict[str, list[str]] = {sample.files: [] for sample in samples}
    for path in files:
        fitting = [pattern for pattern in members if PurePath(path).match(pattern)]
        if len(fitting) != 1:
            found = " and ".join(f"'{pattern}'" for pattern in fitting) or "none"
            expected = ", ".join(f"'{pattern}'" for pattern in members)
            raise ConfigError(f"background: {path} must be of one sample (of {expected}); found {found}")
        members[fitting[0]].append(path)
    factors: dict[str, float] = {}
    for sample in samples:
        mine = members[sample.files]
        if not mine:
            raise ConfigError(f"background: no file with background is named '{sample.files}'")
        factors |= dict.fromkeys(mine, _factor(sample, {path: files[path] for path in mine}))
    return factors


def _factor(sample: BackgroundSample, files: Mapping[str, SumOfWeights]) -> float:
    if sample.share is not None:
        target, total = sample.share, sum(file.used for file in files.values())
    else:
        target, total = sample.cross_section or 0.0, 0.0
        for path, file in files.items():
            if file.read is None:
                raise ConfigError(f"{path}: does not tell how many events were generated; give shares")
            total += file.read
    if not total > 0:
        raise ConfigError(f"background: the weights of '{sample.files}' sum to {total:g}, expected more than 0")
    return target / total
