"""What ``summary.json`` holds (CONTRACTS.md, "Analysis output").

Thresholds are cuts ``score >= threshold`` on oriented scores: where the direction of a
score is ``lower``, on its negative. Where events do not determine a figure it is null.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from analysis.abcd import AbcdEstimate, Regions
from analysis.binned import Interval, Measured
from analysis.fileset import DatasetMetadata
from analysis.menu import Menu
from analysis.roc import FprAtTpr
from analysis.runtime import Runtime
from analysis.trigger import Direction
from darktrigger.config import StrictModel, validate
from darktrigger.files import read_json, write_json
from darktrigger.inputs import SkippedFile

FILE_NAME = "summary.json"


class TriggerSummary(StrictModel):
    """The model."""

    path: str
    family: str
    fingerprint: str
    input_kind: str
    runtime: Runtime = Runtime.ONNXRUNTIME


class ScoreSummary(StrictModel):
    """Where a score comes from, and which of its values are anomalous."""

    source: Literal["model", "baseline"]
    direction: Direction


class CutflowStep(StrictModel):
    """Events left after a cut; weights include the factor of the entry split."""

    name: str
    events: int
    sum_of_weights: float


class DatasetSummary(StrictModel):
    """One dataset; events and sum of weights before any selection."""

    metadata: DatasetMetadata
    files: tuple[str, ...]
    events: int
    sum_of_weights: float
    cutflow: tuple[CutflowStep, ...]
    selected_rate: Measured | None


class SignalFigures(StrictModel):
    """A score's separation of one signal from all backgrounds, after the preselection."""

    auroc: Measured | None
    fpr_at_tpr: FprAtTpr | None


class Passing(StrictModel):
    """What a working point lets through: fraction of the preselected events; rate in Hz."""

    efficiency: Interval | None
    rate: Measured | None


class WorkingPoint(StrictModel):
    """A threshold, chosen from the background: a fraction of it, or its rate in Hz."""

    score: str
    chosen_by: Literal["background efficiency", "background rate"]
    target: float
    threshold: float
    background: Passing
    datasets: dict[str, Passing]


class AbcdSummary(StrictModel):
    """ABCD on the sum of backgrounds, and the sums of weights of each signal in the four regions.

    ``target`` is the background efficiency of either cut; null where the thresholds were given.
    """

    scores: tuple[str, str]
    target: float | None
    background: AbcdEstimate
    signals: dict[str, Regions]


class MenuRegion(StrictModel):
    """Recorded events of one region, and their rate as recorded (Hz; None without a cross-section)."""

    prescale: int
    events: int
    recorded_rate: float | None


class MenuSummary(StrictModel):
    """The support-trigger menu at work.

    ``background`` is ABCD on the recorded background, prescales in the weights and their squares; ``datasets``
    holds what is recorded of each, by region.
    """

    menu: Menu
    background: AbcdEstimate
    datasets: dict[str, dict[str, MenuRegion]]


class Summary(StrictModel):
    """The whole file; ``signals``: dataset, then score."""

    trigger: TriggerSummary
    scores: dict[str, ScoreSummary]
    datasets: dict[str, DatasetSummary]
    signals: dict[str, dict[str, SignalFigures]]
    working_points: tuple[WorkingPoint, ...]
    abcd: tuple[AbcdSummary, ...]
    menu: MenuSummary | None = None
    bad_files: tuple[SkippedFile, ...]
    columns: tuple[str, ...]
    versions: dict[str, str]

    def write(self, folder: str | Path) -> None:
        """Write ``summary.json`` into a folder."""
        write_json(Path(folder, FILE_NAME), self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: str | Path) -> Summary:
        """Read it back.

        Raises
        ------
        UnreadableFileError
            Absent, or not JSON.
        ConfigError
            Not a summary of this version.
        """
        path = Path(folder, FILE_NAME)
        return validate(cls, read_json(path), str(path))
