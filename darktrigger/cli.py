"""The ``darktrigger`` command: the stages' commands under one roof."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console
from rich.logging import RichHandler

import analysis.cli
import darktrigger.chain.cli
import darktrigger.report.cli
import generation.cli
import generation.validation_cli
import imaging.cli
import ml.cli
from darktrigger import __version__
from darktrigger.errors import DarktriggerError

app = typer.Typer(
    name="darktrigger",
    help="LHC anomaly detection from simulation to scores.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for stage in (
    generation.cli,
    generation.validation_cli,
    imaging.cli,
    ml.cli,
    analysis.cli,
    darktrigger.chain.cli,
    darktrigger.report.cli,
):
    app.add_typer(stage.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more of what is done."),
) -> None:
    """LHC anomaly detection from simulation to scores."""
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    for talkative in ("fontTools", "matplotlib"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", handlers=[handler])


def main() -> None:
    """Run the command line: 0 on success, 2 on a usage error, 1 on any other failure, never a traceback."""
    try:
        app()
    except DarktriggerError as error:
        sys.exit(_report(str(error)))
    except MemoryError as error:
        sys.exit(
            _report(f"not enough memory ({error or 'for what was asked for'}); try smaller chunks, batches or bins")
        )
    except Exception as error:
        logging.getLogger(__name__).debug("internal error", exc_info=True)
        sys.exit(_report(f"internal error, please report it: {type(error).__name__}: {error}"))


def _report(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    return 1
