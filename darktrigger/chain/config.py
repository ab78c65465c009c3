"""Configuration of the whole chain: one section a stage, each that stage's own model."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from analysis.config import AnalysisConfig
from analysis.runtime import Runtime
from darktrigger.config import StrictModel
from darktrigger.executors import ExecutorConfig
from generation.config import GenerationConfig
from imaging.config import ImagingConfig
from imaging.split import EntrySplit

#: Settings that images and analysis share.
SHARED = ("selection", "branches", "tree", "read_timeout")


class GeneratedSample(StrictModel):
    """A dataset that the chain generates.

    Parameters
    ----------
    process
        Name of a process of ``darktrigger generate``, or a Pythia command file.
    events
        Events to write, all files together.
    files
        Files that share them, each with a seed of its own: what is finished is kept when the chain is interrupted.
    settings
        The process's settings, such as ``{mass: 1000}``.
    """

    process: str
    events: Annotated[int, Field(ge=1)]
    files: Annotated[int, Field(ge=1)] = 1
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_empty_file(self) -> Self:
        if self.files > self.events:
            raise ValueError(f"{self.events} events do not fill {self.files} files")
        return self

    def parts(self, name: str, seed: int) -> list[tuple[str, int, int]]:
        """Name, number of events and seed of each file; a single file has the chain's own seed."""
        if self.files == 1:
            return [(name, self.events, seed)]
        bounds = [self.events * i // self.files for i in range(self.files + 1)]
        return [
            (f"{name}_{i}", last - first, int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
            for i, (first, last) in enumerate(pairwise(bounds))
        ]


class ModelSection(StrictModel):
    """What to train and how.

    Parameters
    ----------
    family
        Model family, such as ``codae``.
    model, training
        As in the configuration of ``darktrigger train``; validated by the family.
    entries
        Events to train on, by entry number; the others are analysed. Of signals, all events are analysed unless
        the family trains on signals.
    """

    family: str = "codae"
    model: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    entries: EntrySplit = EntrySplit(modulo=2, keep=(0,))

    @model_validator(mode="after")
    def _leaves_events_for_the_analysis(self) -> Self:
        if len(self.entries.keep) == self.entries.modulo:
            raise ValueError("entries must leave some events for the analysis")
        if "entries" in self.training:
            raise ValueError("give entries beside training, not inside it")
        return self

    @property
    def held_out(self) -> EntrySplit:
        """The events that training never sees."""
        rest = tuple(remainder for remainder in range(self.entries.modulo) if remainder not in self.entries.keep)
        return EntrySplit(modulo=self.entries.modulo, keep=rest)


class ChainConfig(StrictModel):
    """Settings of ``darktrigger run``.

    Parameters
    ----------
    output
        Folder for every stage's output, relative to the working directory.
    fileset
        Delphes files, as in the fileset of ``darktrigger analyze``, local paths relative to the
        config's folder; or, under ``generate`` in the place of ``files``, a
        :class:`GeneratedSample`.
    seed
        Of generation, and of training unless its section has its own.
    generation, imaging, model, analysis
        The stages' own settings; ``generation`` has what all samples share, pile-up and
        detector; ``analysis`` takes selection, branches and tree from ``imaging``. What a model of objects or of
        jets is fed with follows ``objects`` and ``jets`` of ``analysis``.
    precision
        Of the exported trigger model.
    runtime
        Who computes the triggers in evaluation and analysis; the trained one is exported in the form for it.
    compare
        Further triggers to evaluate beside the trained one: names of pretrained models, or ONNX files.
    analyze_with
        Trigger of the analysis, likewise, in the place of the trained one.
    displays
        Event displays a dataset.
    executor
        Who does the work of every parallel stage, which no output depends on; by default generation takes all cores
        and the others one, and the analysis what its own section says.
    """

    output: str
    fileset: dict[str, Any]
    seed: Annotated[int, Field(ge=0)] = 42
    generation: GenerationConfig = GenerationConfig()
    imaging: ImagingConfig = ImagingConfig()
    model: ModelSection = ModelSection()
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    runtime: Runtime = Runtime.ONNXRUNTIME
    compare: tuple[str, ...] = ()
    analyze_with: str | None = None
    analysis: AnalysisConfig = AnalysisConfig()
    displays: Annotated[int, Field(ge=0)] = 1
    executor: ExecutorConfig | None = None

    @model_validator(mode="after")
    def _images_and_analysis_agree(self) -> Self:
        default = AnalysisConfig()
        given = [name for name in SHARED if getattr(self.analysis, name) != getattr(default, name)]
        if given:
            raise ValueError(f"give {', '.join(given)} in imaging, not in analysis: images and analysis share them")
        return self

    @model_validator(mode="after")
    def _processes_belong_to_samples(self) -> Self:
        if self.generation.process:
            raise ValueError("give the process's settings in the fileset, under generate, not in generation")
        return self

    @property
    def shared_analysis(self) -> AnalysisConfig:
        """The analysis settings, with what they share with the images."""
        shared: dict[str, Any] = {name: getattr(self.imaging, name) for name in SHARED}
        if self.executor is not None:
            shared["executor"] = self.analysis.executor.model_copy(update=self.executor.model_dump())
        return self.analysis.model_copy(update=shared)
