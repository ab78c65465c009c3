"""What a kind of input has to offer to be fuzzed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

#: Where every command of a case writes, below the folder of the case.
OUT = "out"


class Kind(Protocol):
    """One kind of input."""

    def prepare(self, valid: Path) -> None:
        """Write the valid inputs that all cases start from; called once, in a process of its own."""

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """Commands that succeed, one for each stage that :meth:`case` drives; they write to ``folder``."""

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """Spoil an input in ``folder``, and return the arguments of the command that reads it.

        What the command writes must go below ``folder / OUT``.
        """
