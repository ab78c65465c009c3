"""What a model looks at, where its configuration chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import Tensor

from darktrigger.config import StrictModel


@runtime_checkable
class ChoosesInput(Protocol):
    """A configuration that says what its model looks at."""

    @property
    def input(self) -> str:
        """A key of :data:`imaging.dense.INPUT_SHAPES`."""


@runtime_checkable
class LearnsScale(Protocol):
    """A model that scales its inputs by what it finds in the training events."""

    def learn_scale(self, batches: Iterable[Tensor]) -> None:
        """Look at all training events once, before training; a run that goes on from other weights has it with them."""


class ChosenInput(StrictModel):
    """Base of the configurations that choose the input; they narrow ``input`` to what their model takes.

    Parameters
    ----------
    input
        A key of :data:`imaging.dense.INPUT_SHAPES`.
    """

    input: str
