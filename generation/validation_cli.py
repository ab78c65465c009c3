"""The command ``validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def validate(
    ours: Annotated[Path, typer.Argument(help="Delphes ROOT file to be judged.")],
    reference: Annotated[Path, typer.Argument(help="Delphes ROOT file to judge it by, such as one of real Delphes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the table and the plots (PDF).")],
    suffix: Annotated[str, typer.Option(help="Suffix of the reference's collections, such as _noPU.")] = "",
) -> None:
    """Compare tracks, towers, HT and missing E_T of two files: means, Kolmogorov-Smirnov tests, ratio plots."""
    from darktrigger.files import write_json, write_text  # noqa: PLC0415
    from generation.validation import compare, read_sample, table  # noqa: PLC0415
    from generation.validation_plots import draw_comparisons  # noqa: PLC0415

    samples = read_sample(ours), read_sample(reference, suffix)
    rows = compare(*samples)
    text = table(rows)
    write_text(output / "comparison.txt", text + "\n")
    write_json(output / "comparison.json", [row.plain() for row in rows])
    draw_comparisons(*samples, (ours.stem, reference.stem), output)
    typer.echo(text)
