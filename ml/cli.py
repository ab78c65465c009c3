"""Commands of the ml stage: ``train`` and ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model family, such as codae; a wrong name lists all.")],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES",
            help="Image files (Parquet): background only; for cct (supervised) signals too; for jet-ae and nae "
            "jet image files.",
        ),
    ],
    run_dir: Annotated[Path, typer.Option("--output", "-o", metavar="RUN_DIR", help="Run folder to write.")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with sections 'model' and 'training'.",
            show_default="the paper's; with --resume the run's",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run in RUN_DIR was cut off; start it if there is none.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the events, at most.", show_default="the paper's for the model, or as configured"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Of weights, split, order, augmentation and noise.", show_default="42, or as configured"
        ),
    ] = None,
) -> None:
    """Train a model on images; writes configuration, metrics, loss curve and checkpoints.

    Of background alone, unless the model is supervised: then on labelled files of background and signal.
    """
    from darktrigger.config import read_yaml
    from darktrigger.errors import ConfigError
    from darktrigger.inputs import expand_paths
    from ml.config import run_config
    from ml.run_folder import CONFIG
    from ml.training import train as run

    if config is None and resume and (run_dir / CONFIG).exists():
        config = run_dir / CONFIG
    source = str(config or "defaults")
    settings: Any = (read_yaml(config) if config else None) or {}
    if not isinstance(settings, dict) or not isinstance(settings.get("training", {}), dict):
        raise ConfigError(f"{source}: expected sections 'model' and 'training'")
    overrides = {key: value for key, value in {"epochs": epochs, "seed": seed}.items() if value is not None}
    settings = {**settings, "training": {**settings.get("training", {}), **overrides}}
    paths = [Path(path) for path in expand_paths(images)]
    run(model, paths, run_dir, run_config(model, settings, source), resume=resume)
    typer.echo(f"{run_dir}: trained")


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Run folder of 'darktrigger train'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Trigger model to write (ONNX).")],
    precision: Annotated[
        str, typer.Option(help="fp32, fp16 or int8; input and scores are float32 in all of them.")
    ] = "fp32",
    scores: Annotated[
        str | None,
        typer.Option(
            help="Scores to put out, such as 'z1,z2', which need the mask encoder only.",
            show_default="all of the model's",
        ),
    ] = None,
    reconstruction: Annotated[
        bool, typer.Option("--reconstruction", help="Also put out 'reconstruction', of the image's shape.")
    ] = False,
    runtime: Annotated[
        str,
        typer.Option(help="Where it will be computed, onnxruntime or openvino: same values, in the faster form there."),
    ] = "onnxruntime",
) -> None:
    """Export a trained model to one ONNX file whose outputs are anomaly scores."""
    from ml.export import export_run

    names = None if scores is None else [name.strip() for name in scores.split(",")]
    export_run(run_dir, output, precision, names, reconstruction=reconstruction, runtime=runtime)
    typer.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
