"""Training of a model on images, of background alone unless its family says otherwise."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import nn

from darktrigger.errors import DarktriggerError, ModelFileError, TrainingError, first_line
from darktrigger.files import write_json
from darktrigger.memory import keep_freed_memory
from darktrigger.progress import progress
from ml.batches import Batches
from ml.calibration import CALIBRATION, activity, calibrate, evaluate
from ml.callbacks import LAST, RunFolder, Steps
from ml.classification import Classification, Targeted
from ml.config import RunConfig
from ml.curves import plot_curves
from ml.data import ImageData, load_images
from ml.decorrelated import Decorrelated
from ml.devices import accelerator
from ml.distillation import DistillationBatches, Standardised
from ml.family import Family
from ml.inputs import LearnsScale
from ml.kept_members import keep
from ml.mixture import DecorrelatedBatches
from ml.models.pair import PairTraining
from ml.module import Reconstruction, is_of_the_compiler
from ml.nae.averaging import MeanWeights
from ml.nae.batches import EnergyBatches
from ml.nae.config import AutoencoderTraining, NAETraining
from ml.nae.energetic import mean_energy
from ml.nae.finish import finish
from ml.nae.folder import ChainFolder
from ml.nae.module import AutoencoderPretraining, NormalizedTraining
from ml.registry import family
from ml.run_folder import claim, load_checkpoint, load_model, new_record
from ml.start import require_same_network, start_from
from ml.streams import torch_stream
from ml.teacher import Teacher
from ml.threads import Map, thread_map
from ml.training_config import DecorrelatedTraining, DistillationTraining, TrainingConfig

logger = logging.getLogger(__name__)


def native_bfloat16() -> bool:
    """Whether the accelerator, or without one the CPU, computes faster in bfloat16 than in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Absent before torch 2.10.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def lightning_precision(precision: str) -> Literal["bf16-mixed", "32-true"]:
    """Lightning's name of a precision of :class:`TrainingConfig`."""
    return "bf16-mixed" if precision == "bfloat16" or (precision == "auto" and native_bfloat16()) else "32-true"


def train(
    family_name: str, image_files: Sequence[Path], run_dir: Path, config: RunConfig[Any], *, resume: bool = False
) -> None:
    """Train a model on images and calibrate its scores on background.

    The run folder gets ``config.yaml``, ``run.json``, ``metrics.csv``, the loss curve
    (``curves.png``, ``.pdf``), ``last.ckpt``, ``best.ckpt`` (highest validation SSIM, or lowest
    validation loss, as the family has it) and, at the end, ``calibration.json``.

    Parameters
    ----------
    family_name
        Model family, see :mod:`ml.registry`.
    image_files
        Image files, of background only unless the family trains on more: see
        :attr:`ml.training_config.TrainingConfig.events`.
    run_dir
        Run folder; made if absent.
    config
        From :func:`ml.config.run_config`.
    resume
        Go on where the run in ``run_dir`` was cut off, to the result it would have had; start
        it if there is none.

    Raises
    ------
    TrainingError
        Unsuitable data, a folder in use, a resumed run that was another, a loss that is not finite.
    ConfigError
        No such model family.
    SystemExit
        SIGINT or SIGTERM, with the exit code that a shell gives them.
    """
    spec = family(family_name)
    run_dir = Path(run_dir)
    settings = config.training
    files = [Path(path) for path in image_files]
    if settings.pretrained:
        require_same_network(config.model, settings.pretrained)
    data = load_images(files, spec.kind(config.model), settings.entries, settings.events, settings.seed)
    if isinstance(settings, DistillationTraining):
        teacher = Teacher(settings.teacher, settings.score)
        lessons = DistillationBatches(data, settings)
        claim(run_dir, new_record(family_name, data, settings.pretrained, teacher.record), config, resume=resume)
        lessons.ask(teacher, files, run_dir)
        batches: Batches = lessons
    else:
        batches = batches_of(data, settings)
        claim(run_dir, new_record(family_name, data, settings.pretrained), config, resume=resume)
    folder = fit(spec, batches, run_dir, config)
    plot_curves(folder.history, run_dir)
    if isinstance(folder, ChainFolder):
        finish(folder, batches, config)
    model = load_model(run_dir).to(accelerator())
    scores = evaluate(model, batches.background_batches(), spec.score_names(config.model))
    calibration = calibrate(scores, activity(batches.background_batches()))
    write_json(run_dir / CALIBRATION, calibration.model_dump())


def fit(spec: Family, batches: Batches, run_dir: Path, config: RunConfig[Any]) -> RunFolder:
    """Train until the epochs or the patience run out, from the last checkpoint if there is one."""
    settings = config.training
    folder = folder_of(run_dir, settings)
    checkpoint = run_dir / LAST if (run_dir / LAST).exists() else None
    if checkpoint:
        take_up(folder, checkpoint)
        # The cut may have come between the checkpoint and the table.
        folder.write_metrics()
    done = len(folder.history)
    if done >= settings.epochs or folder.finished:
        logger.info("%s: training had finished after %d epochs", run_dir, done)
        return folder
    model = spec.model(config.model)
    model.reset_parameters(torch_stream(settings.seed, "weights"))
    if settings.pretrained and checkpoint is None:
        start_from(model, settings.pretrained)
    if isinstance(settings, PairTraining):
        keep(model, settings.kept)
    if isinstance(model, LearnsScale) and checkpoint is None and settings.pretrained is None:
        model.learn_scale(batches.training_events())
    if isinstance(folder, ChainFolder) and checkpoint is None:
        folder.energy_before = mean_energy(model, batches.background_batches())
    keep_freed_memory()
    n_steps = len(batches.train_dataloader()) * (settings.epochs - done)
    with quiet_lightning(), thread_map() as each, progress("Training", n_steps) as advance:
        steps = Steps(advance)
        trainer = Trainer(
            accelerator="auto",
            devices=1,
            precision=lightning_precision(settings.precision),
            max_epochs=settings.epochs,
            callbacks=[*averaging(settings), folder, steps],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            default_root_dir=run_dir,
        )
        module = training_module(spec, model, batches, folder, each)
        try:
            trainer.fit(module, datamodule=batches, ckpt_path=checkpoint, weights_only=True)
        # Lightning's answer to a signal, with which a batch system's SIGTERM would look like success.
        except SystemExit as stop:
            received = signal.SIGTERM if isinstance(stop, SIGTERMException) else signal.SIGINT
            logger.warning(
                "%s: stopped by %s after %d epochs; --resume goes on from there",
                run_dir,
                received.name,
                len(folder.history),
            )
            raise SystemExit(128 + received) from None
        # What a damaged checkpoint holds surfaces as almost any exception, while it is restored.
        except Exception as error:
            if is_of_the_compiler(error):
                raise TrainingError(
                    f"training.compile: the network cannot be compiled here ({first_line(error)}); leave the key out"
                ) from error
            if checkpoint is None or steps.have_begun or isinstance(error, DarktriggerError):
                raise
            raise ModelFileError(checkpoint, f"cannot be resumed from ({first_line(error)})") from error
    logger.info("%s: trained %d epochs", run_dir, len(folder.history))
    return folder


def take_up(folder: RunFolder, checkpoint: Path) -> None:
    """Give the folder what a checkpoint says of the epochs done.

    Raises
    ------
    ModelFileError
        It says nothing, or nothing that can be understood.
    """
    try:
        folder.load_state_dict(load_checkpoint(checkpoint)["callbacks"][folder.state_key])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelFileError(checkpoint, f"has no history of a training ({first_line(error)})") from None


def batches_of(data: ImageData, settings: TrainingConfig) -> Batches:
    """Batches of images, as the training takes them."""
    if isinstance(settings, AutoencoderTraining | NAETraining):
        return EnergyBatches(data, settings)
    if isinstance(settings, DecorrelatedTraining):
        return DecorrelatedBatches(data, settings)
    return Batches(data, settings)


def folder_of(run_dir: Path, settings: TrainingConfig) -> RunFolder:
    """What keeps a run's figures and checkpoints."""
    if isinstance(settings, NAETraining):
        return ChainFolder(run_dir, settings.patience, settings.collapse, best=settings.best)
    return RunFolder(run_dir, settings.patience)


def averaging(settings: TrainingConfig) -> list[Callback]:
    """What averages the weights, where that is asked for."""
    if isinstance(settings, NAETraining) and settings.averaged_steps:
        return [MeanWeights(settings.averaged_steps)]
    return []


def training_module(spec: Family, model: nn.Module, batches: Batches, folder: RunFolder, each: Map) -> Reconstruction:
    """The model with its training step."""
    if isinstance(batches, DistillationBatches):
        pupil: Standardised = model  # type: ignore[assignment]
        pupil.standardise(batches.targets.location, batches.targets.scale)
        return Targeted(model, spec.loss, batches.config, each, spec.validated)
    if isinstance(batches.config, AutoencoderTraining):
        return AutoencoderPretraining(model, spec.loss, batches.config, each)  # type: ignore[arg-type]
    if isinstance(folder, ChainFolder):
        return NormalizedTraining(model, spec.loss, batches.config, folder.energy_before, each)  # type: ignore[arg-type]
    if isinstance(batches.config, DecorrelatedTraining):
        return Decorrelated(model, batches.config, each)
    if batches.supervised:
        return Classification(model, spec.loss, batches.config, batches.class_weights, each)
    return Reconstruction(model, spec.loss, batches.config, each, spec.validated)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's hints about devices, workers and services out of the log."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
