"""The command ``run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darktrigger.executor_options import ExecutorOption, SchedulerOption, SiteOption, WorkersOption, given_options

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
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
) -> None:
    """Run the whole chain from Delphes files to efficiencies, ROC curves and ABCD estimates.

    Stages that are finished, with the same settings and inputs, are not redone; a training
    that was cut off goes on where it was, and so does any other stage. report.json in the output folder says how
    long each stage took.
    """
    from darktrigger.chain.config import ChainConfig
    from darktrigger.chain.stages import Chain
    from darktrigger.config import load_config, validate
    from darktrigger.executors import ExecutorConfig

    settings = load_config(ChainConfig, config)
    who = given_options(executor, workers, scheduler, site)
    if who:
        before = {} if settings.executor is None else settings.executor.model_dump()
        who_works = validate(ExecutorConfig, before | who, "command line")
        settings = settings.model_copy(update={"executor": who_works})
    changes = {"output": str(output) if output else None, "seed": seed}
    settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
    for path in Chain(settings, config.parent, typer.echo).run():
        typer.echo(path)
