"""Slow cores: each process of a command has a fixed share of one hardware thread, whatever the others do.

Two hardware threads of one core take from each other, so that two workers on them cannot show how a stage scales.
Processes of which each may use, say, 0.3 of the same hardware thread get on as if each had a core of its own, if a
slow one.
Control groups of Linux (version 1, as root) do it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

#: Where Linux has the controller of processor time.
CONTROLLER = Path("/sys/fs/cgroup/cpu")

#: Microseconds over which a process may use its share.
PERIOD = 20_000

#: Seconds between looks; looks that processes have to end.
_LOOK_SECONDS, _PATIENCE = 0.02, 500


@contextmanager
def _group(share: float) -> Iterator[Path]:
    """A control group whose processes have a share of a hardware thread together."""
    group = Path(tempfile.mkdtemp(prefix="darktrigger-", dir=CONTROLLER))
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(int(share * PERIOD)))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Once its last process is gone."""
    for _ in range(_PATIENCE):
        try:
            group.rmdir()
        except OSError:
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _part(family: Sequence[psutil.Process], groups: ExitStack, parted: set[int], share: float) -> None:
    """Give each process a group of its own that has none yet."""
    for process in family:
        if process.pid in parted:
            continue
        group = groups.enter_context(_group(share))
        # It may have ended.
        with suppress(OSError):
            (group / "cgroup.procs").write_text(str(process.pid))
        parted.add(process.pid)


def run_on_slow_cores(command: Sequence[str], share: float, thread: int = 0) -> None:
    """Run a command, each process of which has a share of the same hardware thread.

    Parameters
    ----------
    command
        Program and arguments.
    share
        Of the hardware thread, for each process: 0.3 leaves room for three.
    thread
        Number of the hardware thread.

    Raises
    ------
    subprocess.CalledProcessError
        The command failed.
    """
    ended, parted = threading.Event(), set[int]()

    def pinned() -> None:
        os.sched_setaffinity(0, {thread})

    with ExitStack() as groups, subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pinned) as main:  # noqa: S603, PLW1509
        root = psutil.Process(main.pid)

        def watch() -> None:
            while not ended.wait(_LOOK_SECONDS):
                with suppress(psutil.NoSuchProcess):
                    _part([root, *root.children(recursive=True)], groups, parted, share)

        watcher = threading.Thread(target=watch)
        watcher.start()
        status = main.wait()
        ended.set()
        watcher.join()
    if status:
        raise subprocess.CalledProcessError(status, list(command))
