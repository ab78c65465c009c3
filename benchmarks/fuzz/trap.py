"""A pickle that tells when it is unpickled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def spring(path: str) -> None:
    """Leave a file: proof that code of an input was run."""
    Path(path).write_text("sprung")


class Trap:
    """Unpickling it writes ``path``, which the judge sees outside the output folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return spring, (self.path,)
