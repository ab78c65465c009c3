"""Commands of the generation stage: ``generate`` and ``simulate``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from generation.config import GenerationConfig
    from generation.production import Source

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
Workers = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")]


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
    workers: Workers = None,
) -> None:
    """Generate a process with Pythia 8 and simulate the detector, to a Delphes ROOT file."""
    from generation.config import make_process
    from generation.processes import PROCESSES
    from generation.production import generated_batches

    if not process.endswith(".cmnd") and process not in PROCESSES:
        known = ", ".join(PROCESSES)
        raise typer.BadParameter(f"no process '{process}'; there are {known}, and Pythia command files (.cmnd)")
    settings = _settings(config, pileup, detector, card)
    changes = dict(settings.process)
    if mass is not None:
        if process not in PROCESSES or "mass" not in PROCESSES[process].model_fields:
            raise typer.BadParameter(f"process '{process}' has no mass")
        changes["mass"] = mass
    if ht_filter is not None:
        changes["filter"] = {"kind": "ht", "ht_min": ht_filter}
    chosen = make_process(process, changes, f"{process}, settings")
    _produce(
        settings,
        lambda cache: generated_batches(chosen, events, settings.batch_events, cache),
        output,
        events,
        seed,
        {"process": process, "process_settings": chosen.model_dump(mode="json"), "events": events},
        workers,
    )


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="HepMC2 or HepMC3 file of any generator, plain or gzipped.")],
    output: Output,
    seed: Seed = 1,
    pileup: PileUp = None,
    detector: Detector = None,
    card: Card = None,
    config: Config = None,
    workers: Workers = None,
) -> None:
    """Simulate the detector for events that another generator wrote, to a Delphes ROOT file."""
    from darktrigger.files import fingerprint
    from generation.hepmc import read_hepmc
    from generation.production import Read

    settings = _settings(config, pileup, detector, card)
    _produce(
        settings,
        lambda _: (Read(batch) for batch in read_hepmc(file, settings.batch_events)),
        output,
        None,
        seed,
        {"source": str(file), "source_fingerprint": fingerprint(file)},
        workers,
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


def _produce(
    settings: GenerationConfig,
    sources: Callable[[Path], Iterable[Source]],
    output: Path,
    n_events: int | None,
    seed: int,
    source_settings: dict[str, Any],
    workers: int | None,
) -> None:
    from darktrigger.progress import progress
    from darktrigger.provenance import versions
    from generation.cache import cache_folder
    from generation.detector import load_card
    from generation.detectors import EmbeddedDetector, choose_program, delphes_detector
    from generation.pileup import make_pool
    from generation.production import produce
    from generation.workers import n_cores

    workers = workers or n_cores()
    cache = cache_folder(settings.cache)
    program, description = choose_program(settings.detector)
    card = load_card(settings.detector.card)
    typer.echo(f"detector: {description}, card {settings.detector.card}")
    pool = None
    if settings.pileup.mean > 0:
        with progress("pile-up pool", settings.pileup.pool.events) as advance:
            pool = make_pool(settings.pileup.pool, cache, workers=workers, advance=advance)
    mean = settings.pileup.mean
    simulation = (
        EmbeddedDetector(card, pool, mean)
        if program == "embedded"
        else delphes_detector(card, pool, mean, cache, settings.detector.delphes_command)
    )
    record = {
        **source_settings,
        "pileup": settings.pileup.model_dump(mode="json"),
        "detector": {"program": program, "card": card.model_dump(mode="json")},
        "batch_events": settings.batch_events,
        "versions": versions("pythia8mc", "numpy", "fastjet"),
    }
    with progress("events", n_events) as advance:
        done = produce(
            sources(cache),
            simulation,
            output,
            seed=seed,
            settings=record,
            workers=workers,
            advance=advance,
        )
    typer.echo(
        f"{output}: {done.accepted} events of {done.generated} generated, "
        f"cross-section {done.cross_section:.4g} +- {done.cross_section_error:.2g} pb"
    )
