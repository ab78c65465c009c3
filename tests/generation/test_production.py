import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import uproot

from darktrigger.errors import DarktriggerError, UnreadableFileError
from darktrigger.executors import HERE, Executor, ExecutorConfig, open_executor
from darktrigger.files import read_json
from generation.detector import DelphesEvents, load_card
from generation.detectors import Detector, EmbeddedDetector
from generation.events import GenEvents
from generation.part_file import load_part
from generation.processes.suep import Suep
from generation.production import Source, generated_batches, produce
from generation.pythia import Normalisation

N_EVENTS, BATCH = 10, 4


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def detector() -> EmbeddedDetector:
    return EmbeddedDetector(load_card("cms"), None, 0.0)


@pytest.fixture
def sources(cache: Path) -> Iterator[Source]:
    return generated_batches(Suep(), N_EVENTS, BATCH, cache)


@dataclass(frozen=True)
class Failing:
    """A detector that is interrupted when it comes to event ``first``."""

    detector: EmbeddedDetector
    first: int

    def __call__(self, events: GenEvents, seed: np.random.SeedSequence) -> DelphesEvents:
        if events.number[0] >= self.first:
            raise KeyboardInterrupt
        return self.detector(events, seed)


@dataclass(frozen=True)
class Refusing:
    def __call__(self, events: GenEvents, seed: np.random.SeedSequence) -> DelphesEvents:
        raise AssertionError("this batch was finished")


def content(path: Path) -> dict[str, Any]:
    with uproot.open(path) as file:
        return {name: branch.array() for name, branch in file["Delphes"].items() if branch.interpretation is not None}


def same(a: Path, b: Path) -> bool:
    first, second = content(a), content(b)
    return first.keys() == second.keys() and all(first[name].tolist() == second[name].tolist() for name in first)


def run(
    sources: Iterable[Source],
    detector: Detector,
    output: Path,
    seed: int = 5,
    executor: Executor = HERE,
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> Normalisation:
    return produce(
        sources, detector, output, seed=seed, settings=settings or {"process": "suep"}, executor=executor, **more
    )


@pytest.fixture(scope="module")
def sample(
    cache: Path, detector: EmbeddedDetector, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Normalisation]:
    output = tmp_path_factory.mktemp("sample") / "suep.root"
    told: list[int] = []
    normalisation = run(generated_batches(Suep(), N_EVENTS, BATCH, cache), detector, output, advance=told.append)
    assert told == [4, 4, 2]
    return output, normalisation


def test_file_and_sidecar(sample: tuple[Path, Normalisation]) -> None:
    output, normalisation = sample
    with uproot.open(output) as file:
        tree = file["Delphes"]
        assert tree.num_entries == N_EVENTS
        assert tree["Event.Number"].array()[:, 0].tolist() == list(range(N_EVENTS))
        stored = str(file["darktrigger"])
    record = read_json(f"{output}.json")
    assert record["normalisation"]["generated"] >= record["normalisation"]["accepted"] == N_EVENTS
    assert record["normalisation"]["sum_of_weights"] == pytest.approx(N_EVENTS)
    assert record["normalisation"]["cross_section"] == pytest.approx(normalisation.cross_section)
    assert record["seed"] == 5
    assert '"cross_section"' in stored
    assert sorted(path.name for path in output.parent.iterdir()) == ["suep.root", "suep.root.json"]


@pytest.mark.parametrize(
    "config",
    [
        ExecutorConfig(kind="futures", workers=2),
        pytest.param(ExecutorConfig(kind="futures", workers=4), marks=pytest.mark.slow),
        pytest.param(ExecutorConfig(kind="dask", workers=2), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_who_does_the_work_does_not_matter(
    config: ExecutorConfig,
    sample: tuple[Path, Normalisation],
    sources: Iterable[Source],
    detector: EmbeddedDetector,
    tmp_path: Path,
) -> None:
    output, normalisation = sample
    with open_executor(config) as executor:
        assert run(sources, detector, tmp_path / "two.root", executor=executor) == normalisation
    assert same(output, tmp_path / "two.root")
    assert read_json(f"{output}.json") == read_json(tmp_path / "two.root.json")


def test_other_seed_other_events(
    sample: tuple[Path, Normalisation], sources: Iterable[Source], detector: EmbeddedDetector, tmp_path: Path
) -> None:
    run(sources, detector, tmp_path / "other.root", seed=6)
    assert not same(sample[0], tmp_path / "other.root")


def test_interrupted_production_resumes(
    sample: tuple[Path, Normalisation], cache: Path, detector: EmbeddedDetector, tmp_path: Path
) -> None:
    output = tmp_path / "suep.root"
    with pytest.raises(KeyboardInterrupt):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Failing(detector, first=8), output)
    parts = sorted(path.name for path in tmp_path.glob("suep.root.parts/*"))
    assert parts == ["000000.npz", "000001.npz", "plan.json"]
    assert not output.exists()

    finished = [load_part(tmp_path / "suep.root.parts" / name)[0] for name in parts[:2]]
    assert [len(part) for part in finished] == [4, 4]
    # What is finished is not simulated again.
    run(generated_batches(Suep(), 8, BATCH, cache), Refusing(), output)
    with uproot.open(output) as file:
        assert file["Delphes"].num_entries == 8


def test_resumed_file_is_the_uninterrupted_one(
    sample: tuple[Path, Normalisation], cache: Path, detector: EmbeddedDetector, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Failing(detector, first=4), tmp_path / "suep.root")
    run(generated_batches(Suep(), N_EVENTS, BATCH, cache), detector, tmp_path / "suep.root")
    assert same(sample[0], tmp_path / "suep.root")


def test_parts_of_other_settings_are_not_taken_up(cache: Path, detector: EmbeddedDetector, tmp_path: Path) -> None:
    output = tmp_path / "suep.root"
    with pytest.raises(KeyboardInterrupt):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Failing(detector, first=4), output)
    with pytest.raises(AssertionError, match="finished"):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Refusing(), output, settings={"process": "other"})


def test_parts_of_another_version_are_not_taken_up(
    cache: Path, detector: EmbeddedDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "suep.root"
    with pytest.raises(KeyboardInterrupt):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Failing(detector, first=4), output)
    monkeypatch.setattr("generation.production.__version__", "9.0")
    with pytest.raises(AssertionError, match="finished"):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), Refusing(), output)


def test_full_disk_leaves_no_half_file(
    sources: Iterable[Source], detector: EmbeddedDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, **arrays: object) -> NoReturn:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("generation.part_file.np.savez", full)
    with pytest.raises(DarktriggerError, match="No space left"):
        run(sources, detector, tmp_path / "suep.root")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["plan.json", "suep.root.parts"]


def test_broken_part_is_named(
    cache: Path, detector: EmbeddedDetector, sources: Iterable[Source], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(sources, Failing(detector, first=4), tmp_path / "suep.root")
    part = tmp_path / "suep.root.parts" / "000000.npz"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(UnreadableFileError, match=r"000000\.npz: is not a finished batch"):
        run(generated_batches(Suep(), N_EVENTS, BATCH, cache), detector, tmp_path / "suep.root")


def test_ctrl_c_leaves_parts_and_no_output(tmp_path: Path, cache: Path) -> None:
    script = tmp_path / "main.py"
    # A shell's background jobs ignore the signal, and hand that on.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script.write_text(f"from generation.cli import app\nif __name__ == '__main__':\n    {listen}\n    app()\n")
    output = tmp_path / "suep.root"
    config = tmp_path / "c.yaml"
    config.write_text("batch_events: 3\n")
    command: list[str | Path] = [sys.executable, script, "generate", "suep", "-n", "3000", "-o", output]
    more: list[str | Path] = ["--pileup", "0", "--config", config, "--workers", "2"]
    environment = os.environ | {"DARKTRIGGER_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603
        [*command, *more], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        parts = output.with_name("suep.root.parts")
        end = time.monotonic() + 60
        while not list(parts.glob("0*.npz")) and time.monotonic() < end:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0
    assert not output.exists()
    finished = list(parts.glob("0*.npz"))
    assert finished
    assert all(len(load_part(part)[0]) == 3 for part in finished)
    assert not list(parts.glob(".*"))
