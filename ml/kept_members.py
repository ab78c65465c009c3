"""Members of a pair that were trained before and stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from darktrigger.errors import TrainingError
from ml.models.pair import Pair
from ml.run_folder import load_model, read_config, read_record


def keep(pair: Pair, kept: Mapping[int, Path]) -> None:
    """Give members the best weights of finished runs, which the optimiser then leaves alone.

    Parameters
    ----------
    pair
        Model; changed in place.
    kept
        Run folder by the member's number, from 1 on.

    Raises
    ------
    TrainingError
        No such member, a run of another family or model, or no member left to learn.
    InputFileError
        No finished epoch in a run folder.
    """
    settings = pair.config.members
    for number, run_dir in kept.items():
        if number > len(settings):
            raise TrainingError(f"training.kept: there is no member {number}; expected 1 to {len(settings)}")
        wanted, record = settings[number - 1], read_record(run_dir)
        if record.family != wanted.member:
            raise TrainingError(
                f"training.kept: {run_dir} holds a run of {record.family}; member {number} needs one of {wanted.member}"
            )
        model = read_config(run_dir, record.family).model
        if model != wanted.resolved():
            raise TrainingError(
                f"training.kept: {run_dir} was trained with model {model}; member {number} has {wanted.resolved()}"
            )
        member = pair.members[number - 1]
        member.load_state_dict(load_model(run_dir).state_dict())
        member.requires_grad_(requires_grad=False)
    if len(kept) == len(settings):
        raise TrainingError("training.kept: no member is left to learn")
