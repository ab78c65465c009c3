"""What the events of a file are."""

from __future__ import annotations

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError

#: Labels of the image file; further processes take numbers from 3 on.
LABELS = {"background": 0, "qcd": 0, "suep": 1, "svj": 2}


def described(process: str, mass: float) -> str:
    """A process in words, with the mass (GeV) of its mediator if it has one."""
    return f"{process} of {mass:g} GeV" if mass else process


class Sample(StrictModel):
    """What the events are: process name, label (0 background, 1 SUEP, 2 SVJ, 3 and up: others), mediator mass (GeV)."""

    process: str = "background"
    label: int | None = None
    mass: float = 0.0

    def resolved_label(self) -> int:
        """The label given, or the one that the process has.

        Raises
        ------
        DarktriggerError
            Neither exists.
        """
        label = self.label if self.label is not None else LABELS.get(self.process.lower())
        if label is None:
            raise DarktriggerError(f"process '{self.process}' has no label of its own: give --label, 3 or higher")
        return label

    def __str__(self) -> str:
        return f"{described(self.process, self.mass)}, label {self.resolved_label()}"

    def label_names(self) -> dict[int, str]:
        """Names of the common labels and of this sample's."""
        return {0: "background", 1: "SUEP", 2: "SVJ"} | {
            label: self.process for label in [self.resolved_label()] if label > 2
        }
