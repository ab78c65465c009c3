"""What a model looks at, where its configuration chooses."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from darktrigger.config import StrictModel


@runtime_checkable
class ChoosesInput(Protocol):
    """A configuration that says what its model looks at."""

    @property
    def input(self) -> str:
        """A key of :data:`imaging.dense.INPUT_SHAPES`."""


class ChosenInput(StrictModel):
    """Base of the configurations that choose the input; they narrow ``input`` to what their model takes.

    Parameters
    ----------
    input
        A key of :data:`imaging.dense.INPUT_SHAPES`.
    """

    input: str
