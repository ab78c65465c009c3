"""The stages of the chain, each skipped where it is already done."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.analyze import analyze
from analysis.evaluate import evaluate
from analysis.evaluation.config import EvaluationConfig
from analysis.fileset import Dataset, read_fileset, require_dataset_name
from analysis.trigger import Trigger
from darktrigger.cache import fileset_cache
from darktrigger.chain.config import ChainConfig, GeneratedSample
from darktrigger.chain.rows import rows_of
from darktrigger.chain.stamps import Stamp
from darktrigger.config import validate
from darktrigger.errors import ConfigError
from darktrigger.executors import ExecutorConfig, open_executor
from darktrigger.files import read_json, write_text
from darktrigger.inputs import is_remote
from darktrigger.pretrained import trigger_path
from darktrigger.run_report import RunReport
from generation.config import GenerationConfig
from generation.production import sidecar_of
from generation.pythia import Normalisation, mean_of
from generation.sample import generate_sample
from imaging.split import EntrySplit
from ml.config import run_config
from ml.export import export_run
from ml.registry import family
from ml.training import train

logger = logging.getLogger(__name__)

Say = Callable[[str], None]

#: Settings on which no output depends.
_IMMATERIAL: dict[str, Any] = {"executor": set(ExecutorConfig.model_fields), "read_timeout": True}


class Chain:
    """One run of the chain in one output folder.

    Parameters
    ----------
    config
        Settings of every stage.
    folder
        Where the config lies: relative input paths start there.
    say
        Called with one line for each stage.
    """

    def __init__(self, config: ChainConfig, folder: Path, say: Say) -> None:
        self.config = config
        self.output = Path(config.output)
        self.say = say
        self.folder = folder
        self.trigger = self.output / "trigger.onnx"
        self.who = config.executor or ExecutorConfig()
        self.report = RunReport("run", self.who.model_dump())
        self.datasets: tuple[Dataset, ...] = ()
        self.images: dict[str, Path] = {}
        section = config.model
        training = {"seed": config.seed, **section.training, "entries": section.entries.model_dump()}
        self.model = run_config(section.family, {"model": section.model, "training": training}, "model section")
        self.rows = rows_of(family(section.family).kind(self.model.model), config)

    def trains_on(self, dataset: Dataset) -> bool:
        """Whether the model trains on a sample, some of whose events are then held out."""
        wanted: bool = self.model.training.events.wants(dataset.metadata.label)
        return wanted

    def resolve_fileset(self) -> tuple[Dataset, ...]:
        """Save the fileset with absolute paths and what training holds out, and read it back."""
        for name in self.config.fileset:
            require_dataset_name(name, "fileset")
        fileset = {
            name: self._generate(name, entry)
            if isinstance(entry, Mapping) and "generate" in entry
            else _entry(name, entry, self.folder)
            for name, entry in self.config.fileset.items()
        }
        path = self.output / "fileset.yaml"
        write_text(path, yaml.safe_dump(fileset, sort_keys=False))
        for dataset in read_fileset(path, self.config.imaging.tree):
            if self.trains_on(dataset):
                fileset[dataset.name]["metadata"]["entries"] = self.config.model.held_out.model_dump(mode="json")
        write_text(path, yaml.safe_dump(fileset, sort_keys=False))
        return read_fileset(path, self.config.imaging.tree)

    def run(self) -> list[Path]:
        """Run every stage that is not done; returns the summary and the plots of the analysis."""
        self.config.to_yaml(self.output / "config.yaml")
        self.datasets = self.resolve_fileset()
        self.images = {dataset.name: self.output / "images" / f"{dataset.name}.parquet" for dataset in self.datasets}
        for dataset in self.datasets:
            self._image(dataset)
            self._display(dataset)
        self._train()
        self._export()
        self._evaluate()
        self._analyze()
        self.report.write(self.output / "report.json")
        analysis = self.output / "analysis"
        return [*sorted((analysis / "plots").glob("*.png")), analysis / "summary.json"]

    def _stage(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Iterable[str | Path],
        work: Callable[[Stamp], Iterable[Path]],
    ) -> None:
        stamp = Stamp(self.output / ".stages" / f"{name.replace(' ', '-')}.json", settings, inputs)
        if stamp.done():
            self.say(f"{name}: done before")
            return
        self.say(f"{name} ...")
        with self.report.phase(name):
            stamp.finish(work(stamp))

    def _generate(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Generate a sample; returns its fileset entry, with process, mass and cross-section filled in."""
        sample = validate(GeneratedSample, entry["generate"], f"fileset, dataset '{name}', generate")
        settings = self.config.generation.model_copy(update={"process": sample.settings})
        parts = sample.parts(name, self.config.seed)
        outputs = [self._generate_file(*part, sample, settings) for part in parts]
        records = [read_json(sidecar_of(output)) for output in outputs]
        runs = [Normalisation(**record["normalisation"]) for record in records]
        known = {
            "process": sample.process,
            "mass": records[0]["process_settings"].get("mass", 0.0),
            "cross_section": mean_of(runs).cross_section,
        }
        files = [str(output.resolve()) for output in outputs]
        return {"files": files, "metadata": known | dict(entry.get("metadata") or {})}

    def _generate_file(
        self, name: str, events: int, seed: int, sample: GeneratedSample, settings: GenerationConfig
    ) -> Path:
        output = self.output / "delphes" / f"{name}.root"

        def work(_: Stamp) -> list[Path]:
            generate_sample(
                sample.process, events, output, settings, seed=seed, executor=self.config.executor, say=self.say
            )
            return [output, sidecar_of(output)]

        key = {"process": sample.process, "events": events, "seed": seed, "settings": settings.model_dump(mode="json")}
        self._stage(f"generate {name}", key, [], work)
        return output

    def _image(self, dataset: Dataset) -> None:
        output, rows = self.images[dataset.name], self.rows
        sample = rows.sample_of(dataset.metadata)

        def work(_: Stamp) -> list[Path]:
            report = RunReport("image", self.who.model_dump())
            with open_executor(self.who) as executor:
                rows.convert(
                    list(dataset.files),
                    output,
                    sample,
                    rows.settings,
                    executor=executor,
                    cache=fileset_cache(),
                    report=report,
                )
            report.write(f"{output}.report.json")
            return [output]

        settings = {
            "imaging": rows.settings.model_dump(mode="json", exclude=_IMMATERIAL),
            "sample": sample.model_dump(),
        }
        self._stage(f"image {dataset.name}", settings, dataset.files, work)

    def _display(self, dataset: Dataset) -> None:
        images, count, draw = self.images[dataset.name], self.config.displays, self.rows.draw
        if draw is None:
            return
        outputs = [self.output / "displays" / f"{dataset.name}_{row}.png" for row in range(count)]

        def work(_: Stamp) -> list[Path]:
            for row, output in enumerate(outputs):
                title = f"{dataset.metadata.legend}, selected event {row}"
                draw(str(images), row, title, output)
            return outputs

        self._stage(f"display {dataset.name}", {"count": count, "legend": dataset.metadata.legend}, [images], work)

    def _train(self) -> None:
        section, folder = self.config.model, self.output / "train"
        images = [self.images[dataset.name] for dataset in self.datasets if self.trains_on(dataset)]
        config = self.model

        def work(stamp: Stamp) -> list[Path]:
            if not stamp.started():
                # What an earlier configuration left here cannot be continued.
                shutil.rmtree(folder, ignore_errors=True)
                stamp.start()
            train(section.family, images, folder, config, resume=True)
            return sorted(path for path in folder.iterdir() if path.is_file())

        self._stage(
            "train",
            {"family": section.family, "config": config.model_dump(mode="json")},
            [*images, *config.training.files],
            work,
        )

    def _export(self) -> None:
        folder = self.output / "train"

        def work(_: Stamp) -> list[Path]:
            export_run(folder, self.trigger, self.config.precision, runtime=self.config.runtime.engine)
            return [self.trigger]

        settings = {"precision": self.config.precision, "runtime": self.config.runtime.engine}
        self._stage("export", settings, sorted(folder.glob("*.*")), work)

    def _evaluate(self) -> None:
        images, held_out = list(self.images.values()), self.config.model.held_out

        trained_signal = any(self.trains_on(one) for one in self.datasets if not one.metadata.is_background)
        config = EvaluationConfig(
            target_tpr=self.config.analysis.target_tpr,
            seed=self.config.seed,
            style=self.config.analysis.style,
            background_entries=held_out,
            signal_entries=held_out if trained_signal else EntrySplit(),
        )

        triggers = [self.trigger, *(trigger_path(name, self.folder) for name in self.config.compare)]

        def work(_: Stamp) -> list[Path]:
            models = [Trigger(path, self.config.runtime) for path in triggers]
            return evaluate(
                models, [str(path) for path in images], self.output / "evaluation", config, executor=self.who
            )

        settings = config.model_dump(mode="json") | {"runtime": self.config.runtime}
        self._stage("evaluate", settings, [*triggers, *images], work)

    def _analyze(self) -> None:
        folder, config = self.output / "analysis", self.config.shared_analysis
        chosen = self.config.analyze_with
        trigger = self.trigger if chosen is None else trigger_path(chosen, self.folder)

        def work(_: Stamp) -> list[Path]:
            done = analyze(self.datasets, Trigger(trigger, self.config.runtime), config, folder, cache=fileset_cache())
            return [done.summary_path, *done.plots]

        settings = {
            "runtime": self.config.runtime,
            "analysis": config.model_dump(mode="json", exclude=_IMMATERIAL),
            "fileset": {dataset.name: dataset.metadata.model_dump() for dataset in self.datasets},
        }
        inputs: list[str | Path] = [trigger, *(file for dataset in self.datasets for file in dataset.files)]
        self._stage("analyze", settings, inputs, work)


def _entry(name: str, entry: Any, folder: Path) -> dict[str, Any]:
    """A fileset entry in its full form, with paths that no longer depend on the config's folder.

    Raises
    ------
    ConfigError
        Neither of the two customary forms.
    """
    full = {"files": entry} if isinstance(entry, list) else entry
    if not isinstance(full, Mapping) or not isinstance(full.get("files"), list | dict):
        raise ConfigError(f"fileset, dataset '{name}': expected a list of files, or files and metadata")
    files, metadata = full["files"], full.get("metadata") or {}
    if not all(isinstance(path, str) for path in files) or not isinstance(metadata, Mapping):
        raise ConfigError(f"fileset, dataset '{name}': expected paths of files, and a mapping as metadata")
    absolute = {path: path if is_remote(path) else str(Path(folder, path).resolve()) for path in files}
    resolved = {absolute[path]: files[path] for path in files} if isinstance(files, dict) else list(absolute.values())
    return {**full, "files": resolved, "metadata": dict(metadata)}
