"""Commands ``estimate``, ``menu`` and ``decorrelate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from analysis.options import (
    EntriesOption,
    EventWeights,
    ModelArgument,
    OutDirOption,
    RuntimeOption,
    StyleOption,
    WeightsOption,
    report,
)
from analysis.runtime import Runtime

app = typer.Typer()


class TruthKind(StrEnum):
    """Background of a sample larger than what was simulated."""

    SIMULATION = "simulation"
    CLOSING = "closing"


EventsArgument = Annotated[
    list[str],
    typer.Argument(metavar="EVENTS", help="Files of labelled events (Parquet); label 0 is background. Globs allowed."),
]
ScoresOption = Annotated[
    tuple[str, str], typer.Option(help="The two scores: of the model, or baselines such as n_tracks.")
]
CrossSectionOption = Annotated[
    float | None, typer.Option(help="Of all background together before any selection, pb; needed for rates.")
]
LuminosityOption = Annotated[
    float | None, typer.Option(help="Instantaneous luminosity, per cm2 and s (default: 2e34).")
]
ThresholdsOption = Annotated[
    tuple[float, float] | None,
    typer.Option(help="Cuts on the oriented scores at the working point (default: equal background efficiency)."),
]


@app.command()
def estimate(
    model: ModelArgument,
    events: EventsArgument,
    scores: ScoresOption,
    output: OutDirOption,
    training: Annotated[
        list[str] | None,
        typer.Option(help="The same model from another training; may be repeated, globs allowed (default: none)."),
    ] = None,
    single: Annotated[
        Path | None, typer.Option(help="An undecorrelated model to compare with; needs --single-score (default: none).")
    ] = None,
    single_score: Annotated[
        str | None, typer.Option(help="Its score; without --single, one of MODEL (default: none).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    sample_events: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Events in the sample that significances and fits are for (default: what the simulated background is "
            "worth; the paper: 800000).",
        ),
    ] = None,
    truth: Annotated[
        TruthKind | None,
        typer.Option(
            help="Background of that sample: as simulated, or one that closes, for more events than were simulated "
            "(default: simulation)."
        ),
    ] = None,
    signal_fraction: Annotated[
        float | None, typer.Option(help="Share of signal in that sample (default: 0.001).")
    ] = None,
    thresholds: ThresholdsOption = None,
    experiments: Annotated[
        int | None, typer.Option(min=2, help="Pseudo-experiments for each signal (default: 2000).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of random thresholds and pseudo-experiments (default: 42).")
    ] = None,
    background_entries: EntriesOption = None,
    weights: WeightsOption = None,
    cross_section: CrossSectionOption = None,
    luminosity: LuminosityOption = None,
    runtime: RuntimeOption = Runtime.ONNXRUNTIME,
    style: StyleOption = None,
) -> None:
    """Background estimate of a trigger of two scores: closure, fits, pseudo-experiments, SIC, rates, menu."""
    from analysis.estimate import Choices
    from analysis.estimate import estimate as run_estimate
    from analysis.estimation.config import EstimateConfig
    from analysis.estimation.events import ScoreChoice
    from analysis.trigger import Trigger
    from darktrigger.config import load_config, validate
    from darktrigger.errors import ConfigError
    from darktrigger.inputs import expand_paths
    from darktrigger.pretrained import trigger_path

    settings = load_config(EstimateConfig, config)
    changes = _estimate_changes(background_entries, weights, cross_section, luminosity) | {"thresholds": thresholds}
    changes |= {
        "events": sample_events,
        "truth": truth and truth.value,
        "signal_fraction": signal_fraction,
        "seed": seed,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if experiments is not None:
        changes["experiments"] = settings.experiments.model_dump() | {"count": experiments}
    if style:
        changes["style"] = settings.style.model_dump() | {"experiment": style.value}
    settings = validate(EstimateConfig, settings.model_dump() | changes, "command line")
    if single is not None and single_score is None:
        raise ConfigError("--single needs --single-score")
    compared = Trigger(trigger_path(single or model), runtime) if single_score else None
    choices = Choices(
        ScoreChoice(Trigger(trigger_path(model), runtime), scores),
        tuple(ScoreChoice(Trigger(trigger_path(path), runtime), scores) for path in expand_paths(training or [])),
        ScoreChoice(compared, (single_score,)) if compared and single_score else None,
    )
    report(run_estimate(choices, expand_paths(events), output, settings))


@app.command()
def menu(
    model: ModelArgument,
    events: EventsArgument,
    scores: ScoresOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="YAML file to write.")],
    config: Annotated[Path | None, typer.Option(help="YAML file with settings, those of estimate.")] = None,
    efficiency: Annotated[
        float | None, typer.Option(help="SM efficiency of the signal region (default: 0.01).")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="SM rate of the signal region, Hz, instead; needs --cross-section.")
    ] = None,
    thresholds: ThresholdsOption = None,
    background_entries: EntriesOption = None,
    weights: WeightsOption = None,
    cross_section: CrossSectionOption = None,
    luminosity: LuminosityOption = None,
    runtime: RuntimeOption = Runtime.ONNXRUNTIME,
) -> None:
    """Support-trigger menu of two scores: thresholds and prescales, a file that analyze reads."""
    from analysis.estimate import make_menu
    from analysis.estimation.config import EstimateConfig
    from analysis.estimation.events import ScoreChoice
    from analysis.trigger import Trigger
    from darktrigger.config import load_config, validate
    from darktrigger.inputs import expand_paths
    from darktrigger.pretrained import trigger_path

    settings = load_config(EstimateConfig, config)
    changes = _estimate_changes(background_entries, weights, cross_section, luminosity) | {"thresholds": thresholds}
    changes = {name: value for name, value in (changes | {"working_point": efficiency}).items() if value is not None}
    if rate is not None:
        changes["menu"] = settings.menu.model_dump() | {"rate": rate}
    settings = validate(EstimateConfig, settings.model_dump() | changes, "command line")
    choice = ScoreChoice(Trigger(trigger_path(model), runtime), scores)
    make_menu(choice, expand_paths(events), settings).to_yaml(output)
    report([output])


@app.command()
def decorrelate(
    model: ModelArgument,
    events: EventsArgument,
    scores: Annotated[
        tuple[str, str], typer.Option(help="Two scores of the model; the second is made independent of the first.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Trigger model to write (ONNX).")],
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    background_entries: EntriesOption = None,
    weights: WeightsOption = None,
) -> None:
    """Add two scores that are independent in background, rarity1 and rarity2, to a trained trigger model.

    Learnt from background that neither trained the model nor will judge it.
    """
    from analysis.decorrelate import decorrelate as run_decorrelate
    from analysis.estimation.config import DecorrelateConfig
    from analysis.trigger import Trigger
    from darktrigger.config import load_config, validate
    from darktrigger.inputs import expand_paths
    from darktrigger.pretrained import trigger_path

    settings = load_config(DecorrelateConfig, config)
    changes = {name: value for name, value in _event_changes(background_entries, weights).items() if value is not None}
    settings = validate(DecorrelateConfig, settings.model_dump() | changes, "command line")
    n_events = run_decorrelate(Trigger(trigger_path(model)), scores, expand_paths(events), output, settings)
    typer.echo(f"{output}: learnt from {n_events} background events")


def _event_changes(background_entries: str | None, weights: EventWeights | None) -> dict[str, object]:
    """Settings that all commands share."""
    from imaging.split import EntrySplit

    return {
        "background_entries": None if background_entries is None else EntrySplit.parse(background_entries).model_dump(),
        "weights": weights and weights.value,
    }


def _estimate_changes(
    background_entries: str | None, weights: EventWeights | None, cross_section: float | None, luminosity: float | None
) -> dict[str, object]:
    """Settings that estimate and menu share."""
    return _event_changes(background_entries, weights) | {
        "cross_section": cross_section,
        "luminosity": luminosity,
    }
