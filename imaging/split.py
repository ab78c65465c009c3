"""Event-level split of a file, so that training and analysis never share an event."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from darktrigger.config import StrictModel, validate


class EntrySplit(StrictModel):
    """Keeps the events whose entry number modulo ``modulo`` is in ``keep``; by default all.

    Two splits with one modulo and no common remainder share no event, whatever the
    files, the chunks or the number of workers.
    """

    modulo: Annotated[int, Field(ge=1)] = 1
    keep: tuple[int, ...] = (0,)

    @model_validator(mode="after")
    def _remainders_exist(self) -> Self:
        if not self.keep or len(set(self.keep)) != len(self.keep):
            raise ValueError(f"keep must name at least one remainder, each once (found {list(self.keep)})")
        if not all(0 <= remainder < self.modulo for remainder in self.keep):
            raise ValueError(f"keep must lie in 0 to {self.modulo - 1} (found {list(self.keep)})")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``MODULO:KEEP``, such as ``2:1`` or ``3:0,2``.

        Raises
        ------
        ConfigError
            The text is not of that form, or the split impossible.
        """
        modulo, _, keep = text.partition(":")
        return validate(cls, {"modulo": modulo, "keep": keep.split(",")}, f"entries '{text}'")

    def mask(self, entry: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether each entry number is kept, shape of ``entry``."""
        return np.isin(entry % self.modulo, self.keep)

    def shares_entries(self, other: EntrySplit) -> bool:
        """Whether some entry number is kept by both."""
        # a + m x = b + n y has a solution where the greatest common divisor of m and n divides a - b.
        divisor = math.gcd(self.modulo, other.modulo)
        return not {a % divisor for a in self.keep}.isdisjoint(b % divisor for b in other.keep)

    def __str__(self) -> str:
        return f"{self.modulo}:{','.join(map(str, self.keep))}"

    @property
    def scale(self) -> float:
        """Factor that restores the full sample's sum of weights."""
        return self.modulo / len(self.keep)
