"""Settings of the imaging stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from darktrigger.config import StrictModel
from imaging.branches import BranchOverride


class Selection(StrictModel):
    """Preselection: H_T above ``ht_min`` (GeV), strictly (ConvAE paper, section 2.2)."""

    ht_min: Annotated[float, Field(ge=0)] = 500.0


class ReadingConfig(StrictModel):
    """How Delphes files are read.

    ``step_size`` bounds the memory: the uncompressed size of the branches that are held
    at a time. ``read_timeout`` is for one read of a remote file, in seconds, which is tried
    three times.
    """

    tree: str = "Delphes"
    step_size: Annotated[str, Field(pattern=r"^\d+ ?[kMG]?B$")] = "16 MB"
    read_timeout: Annotated[float, Field(gt=0)] = 60.0


class ImagingConfig(ReadingConfig):
    """How Delphes files become images."""

    selection: Selection = Selection()
    branches: BranchOverride = BranchOverride()
