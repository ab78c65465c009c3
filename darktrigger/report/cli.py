"""The command ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="OUT_DIR", help="Output folder of 'darktrigger run', 'analyze', 'evaluate' or 'estimate'."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file to write (default: OUT_DIR/report.html).")
    ] = None,
    displays: Annotated[
        int,
        typer.Option(min=0, help="Event displays a dataset to draw where the folder holds none."),
    ] = 1,
) -> None:
    """Write a report of a run: one HTML file with configuration, tables, plots and provenance, nothing outside it."""
    from darktrigger.files import write_text
    from darktrigger.report.collect import collect
    from darktrigger.report.render import render

    path = output or folder / "report.html"
    write_text(path, render(collect(folder, displays)))
    typer.echo(path)
