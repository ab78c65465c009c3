"""Members of a pair that were trained before and stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darktrigger.errors import TrainingError
from ml.models.pair import Pair
from ml.run_folder import load_model, read_config, read_record


def keep(pair: Pair, kept: Sequence[Path | None]) -> None:
    """Give members the best weights of finished runs, which the optimiser then leaves alone.

    Parameters
    ----------
    pair
        Model; changed in place.
    kept
        Run folder of each member, None for one that learns; or nothing at all.

    Raises
    ------
    TrainingError
        Not one for each member, a run of another family or model, or no member left to learn.
    InputFileError
        No finished epoch in a run folder.
    """
    settings = pair.config.members
    if len(kept) not in {0, len(settings)}:
        raise TrainingError(f"training.kept: {len(kept)} given; expected {len(settings)}, one for each member")
    if kept and None not in kept:
        raise TrainingError("training.kept: no member is left to learn")
    for run_dir, wanted, member in zip(kept, settings, pair.members, strict=False):
        if run_dir is None:
            continue
        record = read_record(run_dir)
        if record.family != wanted.member:
            raise TrainingError(f"training.kept: {run_dir} holds a run of {record.family}; expected {wanted.member}")
        model = read_config(run_dir, record.family).model
        if model != wanted.resolved():
            raise TrainingError(
                f"training.kept: {run_dir} was trained with model {model}; the member has {wanted.resolved()}"
            )
        member.load_state_dict(load_model(run_dir).state_dict())
        member.requires_grad_(requires_grad=False)
