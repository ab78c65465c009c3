"""Settings of ``darktrigger evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from analysis.config import Fraction, StyleConfig
from darktrigger.config import StrictModel
from imaging.split import EntrySplit


class DominanceConfig(StrictModel):
    """Almost stochastic order (CoDAE paper, section 5.1 and table 3).

    Parameters
    ----------
    subsets, subset_events
        Number of random class-balanced subsets that give a distribution of the AUROC, and
        events in each.
    bootstraps
        Resamples behind the confidence limit.
    confidence
        Its level.
    """

    subsets: Annotated[int, Field(ge=2)] = 1000
    subset_events: Annotated[int, Field(ge=4)] = 2000
    bootstraps: Annotated[int, Field(ge=10)] = 1000
    confidence: Fraction = 0.95


class EvaluationConfig(StrictModel):
    """Settings of an evaluation.

    Parameters
    ----------
    target_tpr
        Signal efficiency at which the false positive rate is quoted (CoDAE paper,
        section 5.1).
    rejection_tpr
        Signal efficiency at which the background rejection is quoted (NAE paper, figures 4 and 9).
    background
        Name of the class that is background, as the files name their labels; that of label 0 unless given.
    seed
        Of the random subsets and resamples.
    background_entries
        Background events to use, by entry number: those that did not train the model.
    signal_entries
        Signal events to use, likewise: a supervised model has trained on some.
    weights
        ``generator``: events count by the generator's weight, as in data; ``unit``: once each, as in the papers,
        whose QCD has a flattened spectrum of p_T-hat.
    dominance
        Comparison of scores with each other.
    examples
        Events of each class that are drawn beside their reconstruction.
    latency_calls
        Timed calls of each model where models are compared with a reference.
    batch_size
        Events of which dense images exist at a time.
    style
        Looks and labels of the plots.
    """

    target_tpr: Fraction = 0.4
    rejection_tpr: Fraction = 0.2
    background: str | None = None
    seed: Annotated[int, Field(ge=0)] = 42
    background_entries: EntrySplit = EntrySplit()
    signal_entries: EntrySplit = EntrySplit()
    weights: Literal["generator", "unit"] = "generator"
    dominance: DominanceConfig = DominanceConfig()
    examples: Annotated[int, Field(ge=0)] = 3
    latency_calls: Annotated[int, Field(ge=10)] = 200
    batch_size: Annotated[int, Field(ge=1)] = 16
    style: StyleConfig = StyleConfig()
