"""From a fileset to histograms: scan, fixed axes, coffea's Runner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor import Runner

from analysis.axes import ScoreAxis, count_axis, ht_axis, n_tracks_axis, score_axis
from analysis.config import NO_LIMITS, AnalysisConfig, Limits
from analysis.executors import OrderedExecutor
from analysis.fileset import Dataset
from analysis.histograms import Booking, Histograms
from analysis.parts import UnitStore
from analysis.processor import TriggerProcessor
from analysis.reading import reader_for
from analysis.scan import ScannedFile, first_scores, scan_files, work_items
from analysis.schema import PlainDelphesSchema
from analysis.scores import ALL_BASELINES, directions
from analysis.trigger import Trigger
from darktrigger import __version__
from darktrigger.errors import AnalysisError, UnreadableFileError
from darktrigger.executors import open_executor
from darktrigger.files import fingerprint, hash_of
from darktrigger.inputs import SkippedFile, is_remote, listed
from darktrigger.run_report import RunReport
from imaging.events import Cutflow
from imaging.patient_source import PatientSource


@dataclass(frozen=True)
class DatasetResult:
    """What is left of a dataset's events."""

    histograms: Histograms
    cutflow: Cutflow


@dataclass(frozen=True)
class Processed:
    """Result of a pass over a fileset.

    ``columns`` are the branches that were read, as coffea names them.
    """

    datasets: dict[str, DatasetResult]
    bad_files: tuple[SkippedFile, ...]
    columns: tuple[str, ...]


def process_fileset(
    datasets: Sequence[Dataset],
    trigger: Trigger,
    config: AnalysisConfig,
    *,
    limits: Limits = NO_LIMITS,
    skip_bad_files: bool = False,
    parts: Path | None = None,
    cache: Path | None = None,
    report: RunReport | None = None,
) -> Processed:
    """Fill the histograms of every dataset.

    Memory depends on the chunk size and the histograms, not on the number of files.

    Parameters
    ----------
    datasets, trigger, config
        What to process, and how.
    limits
        How much of the fileset.
    skip_bad_files
        Leave bad files out, and report them.
    parts
        Folder where finished chunks are kept, to be taken up by the next call; None to keep none.
    cache
        Folder that remembers what files hold; None to look in any case.
    report
        Told what it costs.

    Raises
    ------
    InputFileError
        A bad file, unless bad files are skipped.
    AnalysisError
        A dataset without any usable file, a score that does not exist or is not finite.
    """
    reader = reader_for(trigger, config)
    report = report or RunReport("analyze")
    with report.phase("look at files"):
        scan = scan_files(
            datasets, reader, config, limit_files=limits.files, skip_bad_files=skip_bad_files, cache=cache
        )
    _check_complete(datasets, {file.dataset.name for file in scan.files}, scan.bad_files)
    with report.phase("first scores"):
        booking = book(scan.files, trigger, config)
    processor = TriggerProcessor(
        trigger,
        booking,
        reader,
        config.baselines,
        config.executor.batch_size,
        config.menu,
    )
    items = work_items(scan.files, config.executor.chunk_size, limits.chunks)
    store = None if parts is None else _store(parts, scan.files, booking, trigger, config)
    with open_executor(config.executor) as workforce, report.phase("process"):
        executor = OrderedExecutor(executor=workforce, skip_bad_files=skip_bad_files, store=store, report=report)
        # Uncompressed: a worker then keeps one processor, and one ONNX session, for all its chunks.
        runner = Runner(executor, schema=PlainDelphesSchema, savemetrics=True, processor_compression=None)
        output = runner.run(items, processor, uproot_options={"handler": PatientSource, "timeout": config.read_timeout})
    trigger.check_unchanged()
    _check_contents(scan.files, output)
    bad_files = (*scan.bad_files, *sorted(output.get("bad_files", ()), key=lambda bad: bad.path))
    _check_complete(datasets, set(output["out"]), bad_files)
    report.events, report.bytes_read = output["metrics"]["entries"], output["metrics"]["bytesread"]
    report.columns = tuple(sorted(output["metrics"]["columns"]))
    report.bad_files |= {bad.path: bad.cause for bad in bad_files}
    return Processed(
        {dataset.name: DatasetResult(**output["out"][dataset.name]) for dataset in datasets},
        bad_files,
        tuple(sorted(output["metrics"]["columns"])),
    )


def book(files: Sequence[ScannedFile], trigger: Trigger, config: AnalysisConfig) -> Booking:
    """Fix the axes of all histograms.

    Raises
    ------
    AnalysisError
        The configuration names a score that does not exist.
    """
    known = directions(trigger, config.baselines)
    in_planes = {name for pair in config.abcd.pairs for name in pair}
    in_menu = config.menu.scores if config.menu else ()
    _check_known([*config.scores, *sorted(in_planes), *in_menu], known)
    wanted = [name for name in trigger.directions if not config.scores or name in {*config.scores, *in_planes}]
    wanted += config.baselines
    samples = first_scores(files, trigger, config).values()
    axes: dict[str, ScoreAxis] = {
        name: count_axis(name, config.axes)
        if name in ALL_BASELINES and ALL_BASELINES[name].is_count
        else score_axis(name, [sample[name] for sample in samples], config.axes)
        for name in wanted
    }
    return Booking(axes, config.abcd.pairs, ht_axis(config.axes), n_tracks_axis(config.axes))


def _store(
    folder: Path, files: Sequence[ScannedFile], booking: Booking, trigger: Trigger, config: AnalysisConfig
) -> UnitStore:
    key = {
        "version": __version__,
        "trigger": trigger.fingerprint,
        "runtime": trigger.runtime,
        "booking": booking.description(),
        "selection": config.selection.model_dump(mode="json"),
        "branches": config.branches.model_dump(mode="json"),
        "objects": config.objects.model_dump(mode="json"),
        "jets": config.jets.model_dump(mode="json"),
        "menu": config.menu and config.menu.model_dump(mode="json"),
        "baselines": config.baselines,
        "batch_size": config.executor.batch_size,
    }
    return UnitStore(folder, hash_of(key), {file.path: file.content for file in files}, booking, config.menu)


def _check_contents(files: Sequence[ScannedFile], output: Mapping[str, Any]) -> None:
    bad = {skipped.path for skipped in output.get("bad_files", ())}
    for file in files:
        if file.path not in bad and not is_remote(file.path) and fingerprint(file.path) != file.content:
            raise UnreadableFileError(file.path, "changed while it was read; run the command again")


def _check_known(names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise AnalysisError(f"no score '{name}'; the model and the baselines give {', '.join(known)}")


def _check_complete(datasets: Sequence[Dataset], found: set[str], bad_files: Sequence[SkippedFile]) -> None:
    for dataset in datasets:
        if dataset.name not in found:
            raise AnalysisError(f"dataset '{dataset.name}' has no usable file:\n{listed(bad_files)}")
