"""The command ``run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="YAML file with one section a stage; see configs/demo.yaml.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output folder (default: from the config).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of all random choices (default: from the config, 42).")
    ] = None,
) -> None:
    """Run the whole chain from Delphes files to efficiencies, ROC curves and ABCD estimates.

    Stages that are finished, with the same settings and inputs, are not redone; a training
    that was cut off goes on where it was.
    """
    from darktrigger.chain.config import ChainConfig
    from darktrigger.chain.stages import Chain
    from darktrigger.config import load_config

    settings = load_config(ChainConfig, config)
    changes = {"output": str(output) if output else None, "seed": seed}
    settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
    for path in Chain(settings, config.parent, typer.echo).run():
        typer.echo(path)
