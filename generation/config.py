"""Settings of the commands ``generate`` and ``simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from darktrigger.config import StrictModel, validate
from darktrigger.errors import ConfigError
from generation.pileup import PoolConfig
from generation.processes import PROCESSES, processes
from generation.processes.base import Process
from generation.processes.user import CommandFile

DetectorProgram = Literal["auto", "embedded", "delphes"]


class PileUpConfig(StrictModel):
    """Further interactions in the same bunch crossing."""

    mean: float = Field(50.0, ge=0, description="Mean number, Poisson distributed; 0 for none.")
    pool: PoolConfig = Field(PoolConfig(), description="Minimum-bias events that it is drawn from.")


class DetectorConfig(StrictModel):
    """The detector, and which program simulates it."""

    program: DetectorProgram = Field(
        "auto", description="auto takes Delphes where it is installed, else the embedded one."
    )
    card: str = Field("cms", description="Name of a card that comes with darktrigger, or path of a YAML file.")


class GenerationConfig(StrictModel):
    """Everything that says what a sample is, seed and number of events apart."""

    process: dict[str, Any] = Field({}, description="Settings of the process; see its class.")
    pileup: PileUpConfig = Field(PileUpConfig(), description="Pile-up.")
    detector: DetectorConfig = Field(DetectorConfig(), description="The detector.")
    batch_events: int = Field(250, gt=0, le=10_000, description="Events of one batch; the output depends on it.")
    cache: Path | None = Field(None, description="Folder for pile-up pools and Pythia's tables.")


def make_process(name: str, settings: dict[str, Any], source: str = "process settings") -> Process:
    """The process of that name, or of that Pythia command file, with settings changed.

    Raises
    ------
    ConfigError
        There is no such process or file, or the settings do not fit.
    """
    if name.endswith(".cmnd"):
        commands = CommandFile.read(name)
        return validate(CommandFile, {"commands": commands.commands} | settings, source)
    known = PROCESSES if name in PROCESSES else processes()
    if name not in known:
        names = ", ".join(known)
        raise ConfigError(f"unknown process '{name}'; expected one of {names}, or a Pythia command file (.cmnd)")
    return validate(known[name], settings, source)
