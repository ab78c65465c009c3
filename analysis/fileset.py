"""Filesets: which files hold which sample, in the two customary YAML or JSON forms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from darktrigger.config import StrictModel, read_yaml, validate
from darktrigger.errors import ConfigError
from darktrigger.files import write_text
from darktrigger.inputs import expand_paths, is_remote
from darktrigger.names import label_problem, name_problem, shortened
from imaging.sample import LABELS
from imaging.split import EntrySplit


class DatasetMetadata(StrictModel):
    """What the events of a dataset are.

    Parameters
    ----------
    process
        Such as ``qcd``, ``suep``, ``svj``.
    label
        0 background, 1 SUEP, 2 SVJ, 3 and up: others; known processes have theirs.
    mass
        Mediator mass, GeV; 0 for background.
    cross_section
        Of the generated process before any selection, pb; needed for rates.
    entries
        Which entries are analysed; the others may have trained the model.
    legend
        Text for plots; LaTeX between dollar signs.
    """

    process: str
    label: Annotated[int, Field(ge=0, le=255)]
    mass: Annotated[float, Field(ge=0)] = 0.0
    cross_section: Annotated[float, Field(gt=0)] | None = None
    entries: EntrySplit = EntrySplit()
    legend: str = ""

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "process" not in data:
            return data
        process = str(data["process"])
        derived = dict(data)
        if derived.get("label") is None:
            if process.lower() not in LABELS:
                raise ValueError(f"process '{process}' has no label of its own: give one (known: {', '.join(LABELS)})")
            derived["label"] = LABELS[process.lower()]
        if not derived.get("legend"):
            mass = derived.get("mass", 0.0)
            # What is no number is for the field to refuse.
            derived["legend"] = _legend(process, mass if isinstance(mass, int | float) else 0.0)
        return derived

    @model_validator(mode="after")
    def _is_drawable(self) -> Self:
        for key, text in (("process", self.process), ("legend", self.legend)):
            if problem := label_problem(text):
                raise ValueError(f"{key} {problem}")
        return self

    @property
    def is_background(self) -> bool:
        """Whether the dataset is background, label 0."""
        return self.label == 0


def _legend(process: str, mass: float) -> str:
    name = process.upper() if process.lower() in LABELS and process.lower() != "background" else process
    if not mass:
        return name
    return f"{name} {mass / 1000:g} TeV" if mass > 1000 else f"{name} {mass:g} GeV"


@dataclass(frozen=True)
class Dataset:
    """Files of one sample: path to name of the tree, and what the events are."""

    name: str
    files: dict[str, str]
    metadata: DatasetMetadata


def read_fileset(path: str | Path, tree: str = "Delphes") -> tuple[Dataset, ...]:
    """Read a fileset.

    Paths are relative to the fileset's folder; globs are expanded, ``root://`` addresses
    are left as they are. Where a dataset has no metadata, its name is its process.

    Raises
    ------
    ConfigError
        Not a fileset, unknown keys, or no dataset at all.
    InputFileError
        A glob matches nothing.
    """
    data = read_yaml(path)
    if not isinstance(data, Mapping) or not data:
        raise ConfigError(f"{path}: expected a mapping of dataset names to files")
    return tuple(_dataset(str(name), entry, Path(path), tree) for name, entry in data.items())


class _Entry(StrictModel):
    """The second customary form."""

    files: dict[str, str] | list[str]
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_files(self) -> Self:
        if not self.files:
            raise ValueError("names no file")
        return self


def require_dataset_name(name: str, source: str) -> None:
    """Check that files can be named after a dataset, in the output folder and nowhere else.

    Raises
    ------
    ConfigError
        They cannot; ``source`` says where the name came from.
    """
    if problem := name_problem(name):
        raise ConfigError(f"{source}: dataset name {shortened(name)} {problem}")


def _dataset(name: str, entry: Any, source: Path, tree: str) -> Dataset:
    require_dataset_name(name, str(source))
    where = f"{source}, dataset '{name}'"
    full = validate(_Entry, {"files": entry} if isinstance(entry, list) else entry, where)
    metadata = validate(DatasetMetadata, {"process": name} | full.metadata, where)
    trees = full.files if isinstance(full.files, dict) else dict.fromkeys(full.files, tree)
    files = {file: tree_name for pattern, tree_name in trees.items() for file in expand_paths([pattern], source.parent)}
    return Dataset(name, files, metadata)


def failed_fileset(datasets: Iterable[Dataset], bad_paths: Collection[str]) -> dict[str, Any]:
    """Fileset of the bad files alone, in the second customary form."""
    bad = {
        dataset.name: {path: tree for path, tree in dataset.files.items() if path in bad_paths} for dataset in datasets
    }
    return {
        dataset.name: {
            "files": {_absolute(path): tree for path, tree in bad[dataset.name].items()},
            "metadata": dataset.metadata.model_dump(mode="json"),
        }
        for dataset in datasets
        if bad[dataset.name]
    }


def _absolute(path: str) -> str:
    return path if is_remote(path) else str(Path(path).absolute())


def write_fileset(path: Path, fileset: Mapping[str, Any]) -> None:
    """Write a fileset for :func:`read_fileset`; without any dataset, remove the file."""
    if fileset:
        write_text(path, yaml.safe_dump(dict(fileset), sort_keys=False))
    else:
        path.unlink(missing_ok=True)


def background_factors(
    datasets: Mapping[str, DatasetMetadata], sum_of_weights: Mapping[str, float]
) -> dict[str, float]:
    """Factor for the weights of each background when backgrounds are added to one another.

    They then stand to each other as their cross-sections, while their total sum of weights
    stays as it is; a single background keeps its weights. Where a cross-section is missing
    all factors are 1: the files' own weights count.
    """
    names = [name for name, metadata in datasets.items() if metadata.is_background]
    cross_sections = {name: datasets[name].cross_section for name in names}
    known = {name: value for name, value in cross_sections.items() if value is not None and sum_of_weights[name]}
    if len(known) < len(names):
        return dict.fromkeys(names, 1.0)
    scale = sum(sum_of_weights[name] for name in names) / sum(known.values())
    return {name: scale * value / sum_of_weights[name] for name, value in known.items()}
