"""Pool of minimum-bias events for pile-up: generated once, then read from a cache."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
from pydantic import Field

from darktrigger.config import StrictModel
from darktrigger.files import hash_of
from generation.event_store import load_events, save_events
from generation.events import GenEvents, concatenate_events
from generation.processes.qcd import MinimumBias
from generation.workers import run_tasks

_CHUNK = 500  # events a task; part of what defines the pool


class PoolConfig(StrictModel):
    """What the pool holds. Each event of a sample draws from it with replacement, and rotates what it draws."""

    events: int = Field(10_000, gt=0, description="Minimum-bias events; mean sums of pile-up vary with their number.")
    seed: int = Field(1, ge=0, description="Seed of the pool, whatever the sample's seed.")
    process: MinimumBias = Field(MinimumBias(), description="Minimum bias.")


def pool_path(config: PoolConfig, cache: Path) -> Path:
    """Where the pool of these settings lies in the cache folder."""
    key = hash_of({"config": config.model_dump(mode="json"), "chunk": _CHUNK, "pythia": metadata.version("pythia8mc")})
    return cache / f"pileup-{key[:16]}.npz"


def make_pool(
    config: PoolConfig, cache: Path, *, workers: int = 1, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Generate the pool unless it is in the cache, and return its path.

    The file is complete or absent. Two processes that make it at the same time both succeed, with the same content.

    Parameters
    ----------
    config
        What the pool holds.
    cache
        Folder to keep it in.
    workers
        Processes; the pool does not depend on their number.
    advance
        Told the number of events of every finished chunk.

    Raises
    ------
    GenerationError
        Pythia fails.
    DarktriggerError
        The cache cannot be written.
    """
    path = pool_path(config, cache)
    if path.exists():
        return path
    sizes = [min(_CHUNK, config.events - first) for first in range(0, config.events, _CHUNK)]
    seeds = np.random.SeedSequence(config.seed).generate_state(len(sizes)).tolist()
    tasks = [(config.process, size, seed, cache) for size, seed in zip(sizes, seeds, strict=True)]
    config.process.prepare(cache)
    parts: dict[int, GenEvents] = {}
    for index, part in run_tasks(_generate, tasks, workers):
        parts[index] = part
        advance(len(part))
    save_events(path, concatenate_events([parts[index] for index in range(len(tasks))]))
    return path


def load_pool(path: str | Path) -> GenEvents:
    """Read a pool.

    Raises
    ------
    UnreadableFileError
        Absent, truncated, or another kind of file.
    """
    return load_events(path)


def _generate(task: tuple[MinimumBias, int, int, Path]) -> GenEvents:
    process, n_events, seed, cache = task
    return concatenate_events([batch.events for batch in process.batches(n_events, seed, n_events, cache)])
