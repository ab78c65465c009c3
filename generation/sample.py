"""One sample, from a process or a file of generated events to a Delphes ROOT file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from darktrigger.cache import cache_folder
from darktrigger.executors import ExecutorConfig, open_executor
from darktrigger.files import fingerprint
from darktrigger.progress import progress
from darktrigger.provenance import versions
from darktrigger.run_report import RunReport
from generation.config import GenerationConfig, make_process
from generation.detector import load_card
from generation.detectors import EmbeddedDetector, choose_program, delphes_command, delphes_detector
from generation.hepmc import read_hepmc
from generation.pileup import make_pool
from generation.production import Read, Source, generated_batches, produce
from generation.pythia import Normalisation

Say = Callable[[str], None]


def generate_sample(
    process: str,
    n_events: int,
    output: Path,
    settings: GenerationConfig,
    *,
    seed: int,
    executor: ExecutorConfig | None = None,
    say: Say = lambda _: None,
) -> Normalisation:
    """Generate a process with Pythia 8 and simulate the detector.

    Parameters
    ----------
    process
        Name of a process, or a Pythia command file.
    n_events
        Events to write.
    output
        ROOT file; ``OUTPUT.json`` is put beside it.
    settings
        Process, pile-up and detector.
    seed
        Of everything.
    executor
        Who does the work; all cores unless given. The output does not depend on it, and ``OUTPUT.report.json`` says
        what it cost.
    say
        Told which detector is taken.

    Raises
    ------
    DarktriggerError
        Unknown process, unsuitable settings, or a failure of the generator or the detector.
    """
    chosen = make_process(process, settings.process, f"{process}, settings")
    source = {
        "process": process,
        "signal": chosen.is_signal,
        "process_settings": chosen.model_dump(mode="json"),
        "events": n_events,
    }
    cache = cache_folder(settings.cache)
    batches = generated_batches(chosen, n_events, settings.batch_events, cache)
    return _produce(batches, source, n_events, output, settings, seed, executor, say)


def simulate_file(
    file: Path,
    output: Path,
    settings: GenerationConfig,
    *,
    seed: int,
    executor: ExecutorConfig | None = None,
    say: Say = lambda _: None,
) -> Normalisation:
    """Simulate the detector for the events of a HepMC file; otherwise as :func:`generate_sample`.

    Raises
    ------
    DarktriggerError
        The file is bad, or the detector fails.
    """
    source = {"source": str(file), "source_fingerprint": fingerprint(file)}
    batches = (Read(batch) for batch in read_hepmc(file, settings.batch_events))
    return _produce(batches, source, None, output, settings, seed, executor, say)


def _produce(
    batches: Iterable[Source],
    source: dict[str, Any],
    n_events: int | None,
    output: Path,
    settings: GenerationConfig,
    seed: int,
    executor: ExecutorConfig | None,
    say: Say,
) -> Normalisation:
    who = executor or ExecutorConfig.all_cores()
    report = RunReport("generate" if n_events else "simulate", who.model_dump())
    cache, mean = cache_folder(settings.cache), settings.pileup.mean
    program, description = choose_program(settings.detector)
    card = load_card(settings.detector.card)
    say(f"detector: {description}, card {settings.detector.card}")
    with open_executor(who) as workforce:
        pool = None
        if mean > 0:
            with report.phase("pile-up pool"), progress("pile-up pool", settings.pileup.pool.events) as advance:
                pool = make_pool(settings.pileup.pool, cache, executor=workforce, advance=advance)
        detector = (
            EmbeddedDetector(card, pool, mean)
            if program == "embedded"
            else delphes_detector(card, pool, mean, cache, delphes_command())
        )
        record = {
            **source,
            "pileup": settings.pileup.model_dump(mode="json"),
            "detector": {"program": program, "card": card.model_dump(mode="json")},
            "batch_events": settings.batch_events,
            "versions": versions("pythia8mc", "numpy", "fastjet"),
        }
        with progress("events", n_events) as advance:
            done = produce(
                batches,
                detector,
                output,
                seed=seed,
                settings=record,
                executor=workforce,
                report=report,
                advance=advance,
            )
    report.write(f"{output}.report.json")
    return done
