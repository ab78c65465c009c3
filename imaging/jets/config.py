"""Settings of jet images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from darktrigger.config import StrictModel
from imaging.config import ReadingConfig
from imaging.jets.branches import JetBranchOverride


class JetSelection(StrictModel):
    """Which jets are taken: anti-k_T jets in a p_T window (NAE paper, equations 12 and 13).

    The leading jets of an event are chosen first and the window is applied to them, so that a jet
    whose event has a harder one above the window does not step into its place.
    """

    radius: Annotated[float, Field(gt=0, description="Radius of the anti-k_T jets.")] = 0.8
    pt_min: Annotated[float, Field(ge=0, description="Least p_T, GeV.")] = 550.0
    pt_max: Annotated[float, Field(gt=0, description="Largest p_T, GeV.")] = 650.0
    eta_max: Annotated[float, Field(gt=0, description="Largest |eta|.")] = 2.0
    jets_per_event: Annotated[int, Field(ge=1, le=255, description="How many leading jets of an event.")] = 1

    @model_validator(mode="after")
    def _ordered(self) -> JetSelection:
        if self.pt_min >= self.pt_max:
            raise ValueError(f"pt_min {self.pt_min:g} GeV is not below pt_max {self.pt_max:g} GeV")
        return self


#: Windows of the paper: top tagging (equation 12) and dark jets (equation 13).
TOP_TAGGING = JetSelection()
DARK_JETS = JetSelection(pt_min=150.0, pt_max=300.0)


class JetConfig(ReadingConfig):
    """How files become jet images."""

    selection: JetSelection = JetSelection()
    branches: JetBranchOverride = JetBranchOverride()
