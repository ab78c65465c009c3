from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from darktrigger.cache import cache_folder
from darktrigger.errors import DarktriggerError, UnreadableFileError
from generation import pileup
from generation.event_store import load_events, save_events
from generation.events import GenEvents
from generation.pileup import PoolConfig, load_pool, make_pool, pool_path
from generation.processes.qcd import MinimumBias

# Diffraction takes Pythia 8 s to initialise.
FAST = PoolConfig(
    events=30,
    process=MinimumBias(extra_settings=("SoftQCD:singleDiffractive = off", "SoftQCD:doubleDiffractive = off")),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def pool_file(cache: Path) -> Path:
    return make_pool(FAST, cache)


def test_pool_holds_minimum_bias(pool_file: Path) -> None:
    pool = load_pool(pool_file)
    assert len(pool) == 30
    assert pool.e.sum() == pytest.approx(30 * 13_600, rel=1e-3)
    assert 5e10 < pool.cross_section < 7e10  # pb, non-diffractive
    np.testing.assert_array_equal(pool.weight, 1.0)


def test_pool_is_made_once(pool_file: Path, cache: Path) -> None:
    stamp = pool_file.stat().st_mtime_ns
    told: list[int] = []
    assert make_pool(FAST, cache, advance=told.append) == pool_file
    assert pool_file.stat().st_mtime_ns == stamp
    assert told == []


@pytest.mark.parametrize("change", [{"seed": 2}, {"events": 31}, {"process": MinimumBias(tune=5)}])
def test_other_settings_are_another_pool(change: dict[str, Any], pool_file: Path, cache: Path) -> None:
    assert pool_path(FAST.model_copy(update=change), cache) != pool_file


def test_pool_does_not_depend_on_workers_or_company(
    pool_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.pileup._CHUNK", 15)
    alone = load_pool(make_pool(FAST, tmp_path / "one"))
    assert len(alone) == 30
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        paths = list(executor.map(make_pool, [FAST, FAST], [tmp_path / "both"] * 2))
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == pool_file.read_bytes()
    assert [path.suffix for path in (tmp_path / "both").iterdir() if path != paths[0]] == [".tables"]


def test_an_interrupted_pool_is_taken_up(pool_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.pileup._CHUNK", 10)
    whole = make_pool(FAST, tmp_path / "whole")

    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pool(FAST, tmp_path / "cut", advance=interrupt)
    (part,) = (tmp_path / "cut").glob("*.parts/*")
    assert len(load_events(part)) == 10
    made = []

    def note(path: Path, events: GenEvents) -> None:
        made.append(path.name)
        save_events(path, events)

    monkeypatch.setattr(pileup, "save_events", note)
    assert make_pool(FAST, tmp_path / "cut").read_bytes() == whole.read_bytes()
    assert made[:2] == ["0001.npz", "0002.npz"]
    assert not list((tmp_path / "cut").glob("*.parts"))


def test_interrupted_writing_leaves_no_pool(pool_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(stream: Path, *args: object, **kwargs: object) -> NoReturn:
        stream.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez", full)
    with pytest.raises(DarktriggerError, match="No space left"):
        save_events(tmp_path / "pool.npz", load_pool(pool_file))
    assert list(tmp_path.iterdir()) == []


def test_broken_pools(pool_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        load_events(tmp_path / "absent.npz")
    truncated = tmp_path / "truncated.npz"
    truncated.write_bytes(pool_file.read_bytes()[:1000])
    with pytest.raises(UnreadableFileError, match="not a file of generated events"):
        load_events(truncated)
    other = tmp_path / "other.npz"
    np.savez(other, a=np.arange(3))
    with pytest.raises(UnreadableFileError, match="not a file of generated events"):
        load_events(other)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, offsets=np.array([{}], dtype=object))
    with pytest.raises(UnreadableFileError, match="not a file of generated events"):
        load_events(pickled)


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("DARKTRIGGER_CACHE", raising=False)
    assert cache_folder() == tmp_path / "xdg" / "darktrigger"
    monkeypatch.setenv("DARKTRIGGER_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
