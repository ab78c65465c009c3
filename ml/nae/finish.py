"""What the folder of a finished normalized autoencoder holds beside the checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darktrigger.files import atomic_path, write_json
from ml.batches import Batches
from ml.callbacks import BEST
from ml.config import RunConfig
from ml.models.nae import NAE
from ml.nae.config import NAETraining
from ml.nae.folder import ChainFolder
from ml.nae.landscape import IMAGES, LANDSCAPE, Landscape, latent_landscape, write_landscape
from ml.nae.plots import draw_chains, draw_landscape, draw_means, draw_samples
from ml.nae.sampler import Replay, draw
from ml.nae.samples import Samples
from ml.run_folder import RECORD, load_checkpoint, load_model, read_record
from ml.streams import torch_stream

#: Samples of the finished model that are kept.
KEPT = 256


def trained(run_dir: Path, config: NAETraining) -> tuple[NAE, Replay]:
    """The best model of a run with the replay buffer of its epoch."""
    model = load_model(run_dir)
    assert isinstance(model, NAE)  # noqa: S101 (for the type checker)
    replay = Replay(config.replay, model.latents)
    replay.load_state_dict(load_checkpoint(run_dir / BEST)["replay"])
    return model, replay


def finish(folder: ChainFolder, batches: Batches, config: RunConfig[Any]) -> None:
    """Note a collapse in the record; draw energies, samples of the best model and its latent landscape."""
    run_dir, settings = folder.folder, config.training
    assert isinstance(settings, NAETraining)  # noqa: S101 (for the type checker)
    record = read_record(run_dir)
    write_json(run_dir / RECORD, record.model_copy(update={"collapse": folder.collapse}).model_dump())
    draw_chains(folder.chains, run_dir)
    model, replay = trained(run_dir, settings)
    image_NCHW = torch.cat(list(batches.background_batches()))[:IMAGES]
    samples = draw(model, KEPT, replay, settings, torch_stream(settings.seed, "finish"), map)
    write_samples(model, image_NCHW, samples, run_dir)
    if model.latents == 3:
        maps: Landscape = latent_landscape(
            model, {"validation": image_NCHW}, replay, settings, torch_stream(settings.seed, "landscape")
        )
        write_landscape(maps, run_dir / LANDSCAPE)
        draw_landscape(maps, run_dir)


def write_samples(model: NAE, image_NCHW: Tensor, samples: Samples, run_dir: Path) -> None:
    """``samples.npz`` with samples and mean images (figures 10 and 11), and pictures of them."""
    with torch.no_grad():
        output = model(image_NCHW)
    means = {
        "data": output.prepared.mean(0).numpy(),
        "reconstruction": output.reconstruction.mean(0).numpy(),
        "samples": samples.image.mean(0).numpy(),
    }
    with atomic_path(run_dir / "samples.npz") as temporary:
        np.savez(temporary, image=samples.image.numpy(), latent=samples.latent.numpy(), **means)
    draw_samples(samples.image.numpy(), "Samples of the trained model", run_dir / "samples.png")
    draw_means(means, run_dir / "means.png")
