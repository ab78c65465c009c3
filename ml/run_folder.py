"""What a training run is, as its folder tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from darktrigger.config import StrictModel, read_yaml, validate
from darktrigger.errors import ModelFileError, TrainingError, first_line
from darktrigger.files import hash_of, read_json, write_json
from darktrigger.names import shortened
from darktrigger.provenance import versions
from imaging.split import EntrySplit
from ml.callbacks import BEST
from ml.config import RunConfig, run_config
from ml.data import ImageData
from ml.registry import family
from ml.teacher import TeacherRecord

CONFIG, RECORD = "config.yaml", "run.json"


class RunOrigin(StrictModel):
    """What the weights that a run starts from have learnt from; the run's folder may be gone by then.

    Parameters
    ----------
    family, files, hash, events, labels
        See :class:`RunRecord`.
    entries
        Which events of the files, by their entry number.
    pretrained
        What those weights started from, in turn.
    """

    family: str
    files: dict[str, str]
    hash: str
    events: int
    labels: dict[int, int]
    entries: EntrySplit
    pretrained: RunOrigin | None = None


class RunRecord(StrictModel):
    """Origin of a run, ``run.json``.

    Parameters
    ----------
    family
        Model family.
    files
        Fingerprint of each image file by its path.
    events
        Events used, training and validation together.
    labels
        How many of them have each label, 0 for background; empty in records of older versions.
    versions
        Versions of the software that started the run.
    teacher
        Of a student, who taught it.
    collapse
        Of a normalized autoencoder whose sampler collapsed, what showed it.
    pretrained
        What the weights that it started from have learnt from.
    """

    family: str
    files: dict[str, str]
    events: int
    labels: dict[int, int] = Field(default_factory=dict)
    versions: dict[str, str]
    teacher: TeacherRecord | None = None
    collapse: str | None = None
    pretrained: RunOrigin | None = None

    @property
    def data_hash(self) -> str:
        """Hash of the files' content, whatever their names."""
        return hash_of({"files": list(self.files.values())})


def new_record(
    family_name: str, data: ImageData, pretrained: Path | None = None, teacher: TeacherRecord | None = None
) -> RunRecord:
    """Record of a run that starts now, from the weights of the run in ``pretrained`` if there is one."""
    return RunRecord(
        family=family_name,
        files=data.files,
        events=len(data),
        labels=data.events_by_label,
        versions=versions("torch", "lightning", "numpy"),
        teacher=teacher,
        pretrained=origin_of(pretrained) if pretrained else None,
    )


def origin_of(run_dir: Path) -> RunOrigin:
    """What the weights of a run have learnt from.

    Raises
    ------
    UnreadableFileError, ConfigError
        The folder holds no run, or one that cannot be understood.
    """
    record = read_record(run_dir)
    return RunOrigin(
        family=record.family,
        files=record.files,
        hash=record.data_hash,
        events=record.events,
        labels=record.labels,
        entries=read_config(run_dir, record.family).training.entries,
        pretrained=record.pretrained,
    )


def read_record(run_dir: Path) -> RunRecord:
    """Read ``run.json``.

    Raises
    ------
    UnreadableFileError, ConfigError
        The folder holds no run, or one that cannot be understood.
    """
    return validate(RunRecord, read_json(run_dir / RECORD), str(run_dir / RECORD))


def read_config(run_dir: Path, family_name: str) -> RunConfig[Any]:
    """Read the resolved ``config.yaml``."""
    return run_config(family_name, read_yaml(run_dir / CONFIG), str(run_dir / CONFIG))


def claim(run_dir: Path, record: RunRecord, config: RunConfig[Any], *, resume: bool) -> None:
    """Make the folder this run's own, or make sure that it already is.

    Raises
    ------
    TrainingError
        It holds a run and ``resume`` was not asked for, or a run with another model, other
        settings (a larger ``training.epochs`` is fine) or other data.
    """
    if (run_dir / RECORD).exists():
        if not resume:
            raise TrainingError(f"{run_dir}: already holds a training run; give --resume or another folder")
        _check_same(run_dir, record, config)
    config.to_yaml(run_dir / CONFIG)
    if not (run_dir / RECORD).exists():
        # Last: a folder without it holds no run.
        write_json(run_dir / RECORD, record.model_dump())


def _check_same(run_dir: Path, record: RunRecord, config: RunConfig[Any]) -> None:
    before = read_record(run_dir)
    if before.family != record.family:
        raise TrainingError(f"{run_dir}: holds a {before.family}, cannot resume it as a {record.family}")
    changes = changed(read_config(run_dir, record.family), config)
    epochs, more = changes.get("training.epochs", (0, 0))
    if more > epochs:
        del changes["training.epochs"]
    if changes:
        what = "; ".join(f"{key} was {old}, now {new}" for key, (old, new) in changes.items())
        raise TrainingError(f"{run_dir}: cannot resume with another configuration: {what}")
    if before.data_hash != record.data_hash or before.events != record.events:
        raise TrainingError(
            f"{run_dir}: cannot resume with other data: the run used {before.events} events of "
            f"{', '.join(before.files)}; found {record.events} of {', '.join(record.files)}, with another content"
        )
    if before.teacher != record.teacher:
        raise TrainingError(
            f"{run_dir}: cannot resume with another teacher: it was {before.teacher}, now {record.teacher}"
        )


def changed(before: StrictModel, now: StrictModel) -> dict[str, tuple[Any, Any]]:
    """Settings of ``now`` that ``before`` has otherwise, or not at all (None): of each, by its path, both values."""
    old, new = _flat(before.model_dump()), _flat(now.model_dump())
    return {key: (old.get(key), value) for key, value in new.items() if key not in old or old[key] != value}


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without unpickling code.

    Raises
    ------
    ModelFileError
        Absent, damaged, or not a checkpoint.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file surfaces as almost any exception.
    except Exception as error:  # noqa: BLE001
        raise ModelFileError(path, f"is not a checkpoint that can be read ({first_line(error)})") from None
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelFileError(path, "is not a checkpoint of a training: it has no state_dict of tensors")
    bad = [name for name, value in state.items() if value.is_floating_point() and not value.to_dense().isfinite().all()]
    if bad:
        raise ModelFileError(path, f"weight {shortened(bad[0])} is not finite")
    return checkpoint


def load_model(run_dir: Path) -> nn.Module:
    """The best model of a run, in evaluation mode.

    Raises
    ------
    UnreadableFileError, ModelFileError
        The folder holds no run, or one without a finished epoch.
    """
    name = read_record(run_dir).family
    model: nn.Module = family(name).model(read_config(run_dir, name).model)
    state = load_checkpoint(run_dir / BEST)["state_dict"]
    # The training step may have a state of its own beside the model's.
    weights = {str(key).removeprefix("model."): value for key, value in state.items() if str(key).startswith("model.")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(run_dir / BEST, f"does not fit the model of {run_dir / CONFIG} ({error})") from None
    return model.eval()
