"""A process in one file: a heavy Z' that decays to a pair of quarks.

Copied to ``generation/processes/heavy_z.py``, it is the process ``heavy-z`` of ``darktrigger generate``.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from generation.processes.base import PythiaProcess


class HeavyZ(PythiaProcess):
    """q qbar -> Z' -> q qbar, without interference with photon and Z."""

    name: ClassVar[str] = "heavy-z"
    is_signal: ClassVar[bool] = True

    mass: float = Field(2000.0, gt=100, description="Mass of the Z', GeV.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "NewGaugeBoson:ffbar2gmZZprime = on",
            "Zprime:gmZmode = 3",
            f"32:m0 = {self.mass}",
            "32:onMode = off",
            "32:onIfAny = 1 2 3 4 5",
        )


PROCESS = HeavyZ
