"""From a fileset to histograms: scan, fixed axes, coffea's Runner."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from coffea.processor import Runner

from analysis.axes import ScoreAxis, count_axis, ht_axis, n_tracks_axis, score_axis
from analysis.config import NO_LIMITS, AnalysisConfig, Limits
from analysis.executors import OrderedExecutor, listed, ordered_map
from analysis.fileset import Dataset
from analysis.histograms import Booking, Histograms
from analysis.processor import TriggerProcessor
from analysis.reading import reader_for
from analysis.scan import ScannedFile, first_scores, scan_files, work_items
from analysis.schema import PlainDelphesSchema
from analysis.scores import BASELINES, directions
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError
from imaging.events import Cutflow
from imaging.image_file import SkippedFile


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
) -> Processed:
    """Fill the histograms of every dataset.

    Memory depends on the chunk size and the histograms, not on the number of files.

    Raises
    ------
    InputFileError
        A bad file, unless bad files are skipped.
    AnalysisError
        A dataset without any usable file, a score that does not exist or is not finite.
    """
    reader = reader_for(trigger, config)
    scan = scan_files(datasets, reader, limit_files=limits.files, skip_bad_files=skip_bad_files)
    _check_complete(datasets, {file.dataset.name for file in scan.files}, scan.bad_files)
    processor = TriggerProcessor(
        trigger,
        book(scan.files, trigger, config),
        reader,
        config.baselines,
        config.executor.batch_size,
        config.menu,
    )
    items = work_items(scan.files, config.executor.chunk_size, limits.chunks)
    with ExitStack() as resources:
        executor = OrderedExecutor(ordered_map=ordered_map(config.executor, resources), skip_bad_files=skip_bad_files)
        # Uncompressed: a worker then keeps one processor, and one ONNX session, for all its chunks.
        runner = Runner(executor, schema=PlainDelphesSchema, savemetrics=True, processor_compression=None)
        output = runner.run(items, processor)
    bad_files = (*scan.bad_files, *sorted(output.get("bad_files", ()), key=lambda bad: bad.path))
    _check_complete(datasets, set(output["out"]), bad_files)
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
        if name in BASELINES and BASELINES[name].is_count
        else score_axis(name, [sample[name] for sample in samples], config.axes)
        for name in wanted
    }
    return Booking(axes, config.abcd.pairs, ht_axis(config.axes), n_tracks_axis(config.axes))


def _check_known(names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise AnalysisError(f"no score '{name}'; the model and the baselines give {', '.join(known)}")


def _check_complete(datasets: Sequence[Dataset], found: set[str], bad_files: Sequence[SkippedFile]) -> None:
    for dataset in datasets:
        if dataset.name not in found:
            raise AnalysisError(f"dataset '{dataset.name}' has no usable file:\n{listed(bad_files)}")
