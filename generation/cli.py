"""Commands of the generation stage: ``generate`` and ``simulate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darktrigger.executor_options import ExecutorOption, SchedulerOption, SiteOption, WorkersOption, given_options

if TYPE_CHECKING:
    from darktrigger.executors import ExecutorConfig
    from generation.config import GenerationConfig
    from generation.pythia import Normalisation

app = typer.Typer()


class DetectorProgram(StrEnum):
    """Programs that simulate the detector."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    DELPHES = "delphes"


Output = Annotated[Path, typer.Option("--output", "-o", help="Delphes ROOT file to write; FILE.json is put beside it.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything; same seed and settings, same file.")]
PileUp = Annotated[float | None, typer.Option(min=0, help="Mean number of pile-up interactions.", show_default="50")]
Detector = Annotated[
    DetectorProgram | None, typer.Option(help="auto takes Delphes where it is installed.", show_default="auto")
]
Card = Annotated[str | None, typer.Option(help="Detector card: a name, or a YAML file.", show_default="cms")]
Config = Annotated[Path | None, typer.Option(help="YAML file with settings: process, pileup, detector, ...")]


@app.command()
def generate(
    process: Annotated[
        str,
        typer.Argument(
            help="Process such as qcd, suep or svj (a wrong name lists them all), or a Pythia command file (.cmnd)."
        ),
    ],
    output: Output,
    events: Annotated[int, typer.Option("--events", "-n", min=1, help="Events to write.")] = 1000,
    seed: Seed = 1,
    mass: Annotated[
        float | None,
        typer.Option(min=0, help="Mass of the mediator or new particle, GeV.", show_default="the process's"),
    ] = None,
    pileup: PileUp = None,
    detector: Detector = None,
    card: Card = None,
    ht_filter: Annotated[
        float | None,
        typer.Option(min=0, help="Stop events whose generator-level HT is below this, GeV.", show_default="no cut"),
    ] = None,
    config: Config = None,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
) -> None:
    """Generate a process with Pythia 8 and simulate the detector, to a Delphes ROOT file.

    Takes all cores unless told otherwise; an interrupted call goes on where it was. FILE.report.json says what the
    call cost.
    """
    from generation.processes import PROCESSES, processes
    from generation.sample import generate_sample

    known = PROCESSES if process in PROCESSES else processes()
    if not process.endswith(".cmnd") and process not in known:
        names = ", ".join(known)
        raise typer.BadParameter(f"no process '{process}'; there are {names}, and Pythia command files (.cmnd)")
    settings = _settings(config, pileup, detector, card)
    changes = dict(settings.process)
    if mass is not None:
        if process not in known or "mass" not in known[process].model_fields:
            raise typer.BadParameter(f"process '{process}' has no mass")
        changes["mass"] = mass
    if ht_filter is not None:
        changes["filter"] = {"kind": "ht", "ht_min": ht_filter}
    settings = settings.model_copy(update={"process": changes})
    who = _executor(given_options(executor, workers, scheduler, site))
    _report(output, generate_sample(process, events, output, settings, seed=seed, executor=who, say=typer.echo))


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="HepMC2 or HepMC3 file of any generator, plain or gzipped.")],
    output: Output,
    seed: Seed = 1,
    pileup: PileUp = None,
    detector: Detector = None,
    card: Card = None,
    config: Config = None,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
) -> None:
    """Simulate the detector for events that another generator wrote, to a Delphes ROOT file.

    Takes all cores unless told otherwise; an interrupted call goes on where it was.
    """
    from generation.sample import simulate_file

    settings = _settings(config, pileup, detector, card)
    who = _executor(given_options(executor, workers, scheduler, site))
    _report(output, simulate_file(file, output, settings, seed=seed, executor=who, say=typer.echo))


def _executor(options: dict[str, Any]) -> ExecutorConfig | None:
    """What the options ask for; None to take all cores."""
    from darktrigger.config import validate
    from darktrigger.executors import ExecutorConfig

    everything = ExecutorConfig.all_cores().model_dump() if options.get("kind") == "futures" else {}
    return validate(ExecutorConfig, everything | options, "command line") if options else None


def _report(output: Path, done: Normalisation) -> None:
    typer.echo(
        f"{output}: {done.accepted} events of {done.generated} generated, "
        f"cross-section {done.cross_section:.4g} +- {done.cross_section_error:.2g} pb"
    )


def _settings(
    config: Path | None, pileup: float | None, detector: DetectorProgram | None, card: str | None
) -> GenerationConfig:
    """The configuration file's settings, overruled by the options that were given."""
    from darktrigger.config import load_config
    from generation.config import GenerationConfig

    settings = load_config(GenerationConfig, config)
    given = {"program": detector and detector.value, "card": card}
    return settings.model_copy(
        update={
            "pileup": settings.pileup if pileup is None else settings.pileup.model_copy(update={"mean": pileup}),
            "detector": settings.detector.model_copy(update={key: value for key, value in given.items() if value}),
        }
    )
