"""Options that commands of the analysis stage share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from analysis.runtime import Runtime


class EventWeights(StrEnum):
    """How much an event counts."""

    GENERATOR = "generator"
    UNIT = "unit"


class Experiment(StrEnum):
    """Style of the plots."""

    PLAIN = "plain"
    CMS = "CMS"
    ATLAS = "ATLAS"


ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Trigger model: an ONNX file, or the name of a pretrained one.")
]
StyleOption = Annotated[
    Experiment | None, typer.Option(case_sensitive=False, help="Style of the plots (default: from the config, plain).")
]
EntriesOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODULO:KEEP",
        help="Background events to use: those whose entry number modulo MODULO is in KEEP, such as 2:1 or 3:0,2 "
        "(default: all).",
    ),
]
WeightsOption = Annotated[
    EventWeights | None,
    typer.Option(help="How events count: by the generator's weight, or once each (unit)."),
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        help="Who computes the trigger: ONNX Runtime, or OpenVINO, in float32 or (bf16) the network in bfloat16; needs "
        "the extra 'openvino'."
    ),
]
OutDirOption = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]


def report(paths: list[Path]) -> None:
    """Name what was written."""
    for path in paths:
        typer.echo(path)
