"""What a model looks at, where its configuration chooses."""

from __future__ import annotations

from darktrigger.config import StrictModel


class ChosenInput(StrictModel):
    """Base of the configurations that choose the input; they narrow ``input`` to what their model takes.

    Parameters
    ----------
    input
        A key of :data:`imaging.dense.INPUT_SHAPES`.
    """

    input: str
