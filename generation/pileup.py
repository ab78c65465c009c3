"""Pool of minimum-bias events for pile-up: generated once, then read from a cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from pydantic import Field

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError, UnreadableFileError
from darktrigger.executors import HERE, Executor
from darktrigger.files import hash_of
from generation.event_store import load_events, save_events
from generation.events import GenEvents, concatenate_events
from generation.processes.qcd import MinimumBias

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
    config: PoolConfig, cache: Path, *, executor: Executor = HERE, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Generate the pool unless it is in the cache, and return its path.

    The file is complete or absent; finished chunks lie beside it until it is complete, and are taken up by the next
    call. Two processes that make it at the same time both succeed, with the same content.

    Parameters
    ----------
    config
        What the pool holds.
    cache
        Folder to keep it in.
    executor
        Who does the work; the pool does not depend on it.
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
    folder = path.with_suffix(".parts")
    tasks = [
        _Chunk(config.process, size, seed, cache, folder / f"{index:04d}.npz")
        for index, (size, seed) in enumerate(zip(sizes, seeds, strict=True))
    ]
    config.process.prepare(cache)
    parts: list[GenEvents] = []
    for part in executor.map(_generate, tasks):
        parts.append(part)
        advance(len(part))
    save_events(path, concatenate_events(parts))
    shutil.rmtree(folder, ignore_errors=True)
    return path


def load_pool(path: str | Path) -> GenEvents:
    """Read a pool.

    Raises
    ------
    UnreadableFileError
        Absent, truncated, or another kind of file.
    """
    return load_events(path)


@dataclass(frozen=True)
class _Chunk:
    process: MinimumBias
    n_events: int
    seed: int
    cache: Path
    part: Path


def _generate(chunk: _Chunk) -> GenEvents:
    # Another process that makes the same pool may remove the part at any time.
    with suppress(UnreadableFileError):
        return load_events(chunk.part)
    batches = chunk.process.batches(chunk.n_events, chunk.seed, chunk.n_events, chunk.cache)
    events = concatenate_events([batch.events for batch in batches])
    with suppress(DarktriggerError):
        save_events(chunk.part, events)
    return events
