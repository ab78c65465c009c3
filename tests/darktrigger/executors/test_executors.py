"""Order, deaths and settings of executors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import process
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil
import pytest

from darktrigger.config import validate
from darktrigger.errors import BadValueError, ConfigError, ExecutorError
from darktrigger.executor_options import ExecutorChoice, given_options
from darktrigger.executors import HERE, ExecutorConfig, open_executor, processes


def square(number: int) -> int:
    return number**2


def fail(number: int) -> int:
    if number == 2:
        raise BadValueError("two.root", "holds 2")
    return number


def die_once(marker: Path, number: int) -> int:
    """Kills its process the first time that it meets 3."""
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


EXECUTORS = [
    ExecutorConfig(),
    ExecutorConfig(kind="futures", workers=2),
    pytest.param(ExecutorConfig(kind="dask", workers=2), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("config", EXECUTORS, ids=lambda config: config.kind)
def test_results_come_in_order_and_errors_as_raised(config: ExecutorConfig) -> None:
    with open_executor(config) as executor:
        assert list(executor.map(square, range(9))) == [number**2 for number in range(9)]
        results = executor.map(fail, iter(range(4)))
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(BadValueError, match=r"two\.root: holds 2"):
            next(results)


def test_tasks_are_taken_as_workers_become_free() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    with open_executor(ExecutorConfig(kind="futures", workers=1)) as executor:
        results = executor.map(square, tasks(), ahead=2)
        assert next(results) == 0
        assert len(taken) <= 3
        results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("config", EXECUTORS[1:], ids=lambda config: config.kind)
def test_what_a_dead_worker_did_is_done_again(config: ExecutorConfig, tmp_path: Path) -> None:
    with open_executor(config) as executor:
        assert list(executor.map(partial(die_once, tmp_path / "died"), range(8))) == list(range(8))
    assert (tmp_path / "died").exists()


def test_a_worker_that_a_broken_pool_overlooks_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As if it had been started between the pool's breaking and its waiting for the workers that it knew.
    monkeypatch.setattr(SpawnProcess, "terminate", lambda _: None)
    monkeypatch.setattr(process._ExecutorManagerThread, "shutdown_workers", lambda _: None)
    pool = processes._Pool(2, partial(die_once, tmp_path / "died"))
    with pool:
        for number in range(8):
            pool.submit(number)
        assert [pool.next_result() for _ in range(8)] == list(range(8))
        monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.parametrize("config", EXECUTORS[1:], ids=lambda config: config.kind)
def test_a_task_that_always_kills_its_worker_is_an_error(config: ExecutorConfig) -> None:
    with open_executor(config) as executor, pytest.raises(ExecutorError, match="died again and again"):
        list(executor.map(die, range(2)))


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["futures", "dask"])
def test_workers_end_with_a_parent_that_is_killed(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import time\n"
        "from darktrigger.executors import ExecutorConfig, open_executor\n"
        "if __name__ == '__main__':\n"
        f"    with open_executor(ExecutorConfig(kind={kind!r}, workers=2)) as executor:\n"
        "        for _ in executor.map(time.sleep, [0.0, 0.0, 600.0]):\n"
        "            print('done', flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.kill()
    assert wait_until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children), 30)


def test_the_kind_follows_from_what_is_given() -> None:
    assert given_options(None, None, None, None) == {}
    assert given_options(None, 4, None, None) == {"kind": "futures", "workers": 4}
    assert given_options(None, 1, None, None) == {"kind": "iterative", "workers": 1}
    assert given_options(None, None, "tcp://a:1", None) == {"kind": "dask", "scheduler": "tcp://a:1"}
    assert given_options(None, 3, None, Path("s.yaml")) == {"kind": "dask", "workers": 3, "site": "s.yaml"}
    assert given_options(ExecutorChoice.ITERATIVE, None, None, None) == {"kind": "iterative"}


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"scheduler": "tcp://a:1"}, "scheduler is for kind 'dask'"),
        ({"kind": "futures", "site": "s.yaml"}, "site is for kind 'dask'"),
        ({"kind": "dask", "scheduler": "tcp://a:1", "site": "s.yaml"}, "not both"),
        ({"kind": "spark"}, "iterative"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, str], cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        validate(ExecutorConfig, settings, "test")


def test_here_is_lazy() -> None:
    assert next(HERE.map(square, iter([3]))) == 9


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darktrigger.executors.dask.SCHEDULER_TIMEOUT", "1s")
    config = ExecutorConfig(kind="dask", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ExecutorError, match=r"dask scheduler 'tcp://127\.0\.0\.1:1'"), open_executor(config):
        pass


def test_a_bad_site_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("system: batch\n")
    config = ExecutorConfig(kind="dask", site=str(site))
    with pytest.raises(ConfigError, match=r"site\.yaml:\n  system"), open_executor(config):
        pass
