"""Kill a stage at random moments, run it again, and compare its output with an undisturbed run.

    python -m benchmarks.faults STAGE [STAGE ...] --kills 50 --seed 1 [--target worker main scheduler]

STAGE is generate, simulate, image, train, evaluate, analyze or run. A fault is one ``kill -9``: of one of the
command's worker processes, of the command itself, or of the dask scheduler that it works with, at a moment that is
drawn uniformly over the time that an undisturbed run takes. The command is then given again, until it succeeds, as a
user would. The outputs have to hold the same physics, no temporary file and no part may be left beside them, and no
process may live on. Everything happens in a temporary folder, on the real Delphes files in ``tests/data``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.fault_stages import STAGES, FaultStage

TARGETS = ("worker", "main", "scheduler")

#: Runs after a fault before it counts as not survived; seconds that a run may take.
_RUNS, _TIMEOUT = 3, 900.0


@dataclass
class Tally:
    """What came of the faults of one stage and target."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def row(self, stage: str, target: str) -> str:
        """A row of the table."""
        counts = [self.counts[name] for name in COLUMNS]
        return f"| {stage} | {target} | " + " | ".join(map(str, counts)) + " |"


COLUMNS = ("kills", "survived at once", "finished by a rerun", "same output", "left something")


def start(stage: FaultStage, folder: Path, extra: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the stage's command in a session of its own."""
    command = [sys.executable, "-c", "from darktrigger.cli import main; main()", *stage.command(folder), *extra]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path[1:]])}
    log = (folder.parent / "log.txt").open("ab")
    with log:
        return subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def run(stage: FaultStage, folder: Path, extra: Sequence[str]) -> int:
    """Exit status of an undisturbed run."""
    with start(stage, folder, extra) as process:
        return process.wait(_TIMEOUT)


@contextmanager
def dask_scheduler() -> Iterator[tuple[str, psutil.Process]]:
    """A scheduler with two workers, in processes of their own."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder, "scheduler.json")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path[1:]])}
        scheduler = subprocess.Popen(  # noqa: S603
            [*dask, "--scheduler-file", str(where), "--no-dashboard"],
            env=environment,
            **quiet,  # type: ignore[call-overload]
        )
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(where)]
        workers = subprocess.Popen(  # noqa: S603
            [*worker, "--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--death-timeout", "20"],
            env=environment,
            **quiet,  # type: ignore[call-overload]
        )
        try:
            # It exists before it is written.
            while not where.exists() or not where.read_text().rstrip().endswith("}"):
                time.sleep(0.1)
            yield json.loads(where.read_text())["address"], psutil.Process(scheduler.pid)
        finally:
            for process in (scheduler, workers):
                end_family(process.pid)
                process.wait()


def end_family(pid: int) -> None:
    """Kill a process and its descendants."""
    try:
        family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def victim(target: str, main: int, scheduler: psutil.Process | None, rng: np.random.Generator) -> psutil.Process | None:
    """Process to kill; None where there is none at this moment."""
    try:
        command = psutil.Process(main)
        if target == "main":
            return command
        if target == "scheduler":
            return scheduler
        # The resource tracker of multiprocessing is not a worker.
        workers = [
            child for child in command.children(recursive=True) if "resource_tracker" not in " ".join(child.cmdline())
        ]
    except psutil.NoSuchProcess:
        return None
    return workers[int(rng.integers(len(workers)))] if workers else None


def fault(stage: FaultStage, target: str, seconds: float, reference: object, rng: np.random.Generator) -> Tally:
    """One kill and what follows; nothing where the command had ended before."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "work")
        stage.prepare(folder)
        resources = dask_scheduler() if target == "scheduler" else nullcontext(("", None))
        with resources as (address, scheduler):
            extra = ["--executor", "dask", "--scheduler", address] if scheduler else list(stage.workers)
            process = start(stage, folder, extra)
            time.sleep(float(rng.uniform(0.0, seconds)))
            chosen = None
            while process.poll() is None and chosen is None:
                chosen = victim(target, process.pid, scheduler, rng)
                time.sleep(0.0 if chosen else 0.05)
            if chosen is None or process.poll() is not None:
                process.wait(_TIMEOUT)
                return tally
            tally.counts["kills"] += 1
            family = [] if process.poll() is not None else psutil.Process(process.pid).children(recursive=True)
            with suppress(psutil.NoSuchProcess):
                chosen.send_signal(signal.SIGKILL)
            status = process.wait(_TIMEOUT)
        if status == 0:
            tally.counts["survived at once"] += 1
        runs = 0
        while status != 0 and runs < _RUNS:
            status = run(stage, folder, stage.workers)
            runs += 1
        if runs and status == 0:
            tally.counts["finished by a rerun"] += 1
        if status != 0:
            tally.problems.append((folder.parent / "log.txt").read_text()[-2000:])
        elif stage.content(folder) == reference:
            tally.counts["same output"] += 1
        else:
            tally.problems.append(f"{stage.name}, {target}: another output")
        rest = [str(path.relative_to(folder)) for path in stage.leftovers(folder)]
        _, alive = psutil.wait_procs(family, timeout=20)
        if rest or alive:
            tally.counts["left something"] += 1
            tally.problems.append(f"{stage.name}, {target}: left {rest} and {alive}")
            for member in alive:
                member.kill()
    return tally


def campaign(stage: FaultStage, targets: Sequence[str], kills: int, seed: int) -> Iterator[tuple[str, Tally]]:
    """Faults of one stage, target by target."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "work")
        stage.prepare(folder)
        begin = time.monotonic()
        if run(stage, folder, stage.workers):
            sys.exit((folder.parent / "log.txt").read_text())
        seconds = time.monotonic() - begin
        reference = stage.content(folder)
    print(f"{stage.name}: undisturbed in {seconds:.1f} s", flush=True)
    for number, target in enumerate(target for target in targets if target in stage.targets):
        total = Tally()
        rng = np.random.default_rng([seed, number])
        span = seconds
        while total.counts["kills"] < kills:
            one = fault(stage, target, span, reference, rng)
            # What came after the end was none: the machine is faster now than it was.
            span *= 1.0 if one.counts["kills"] else 0.7
            total.counts += one.counts
            total.problems += one.problems
            if one.counts["kills"] and total.counts["kills"] % 10 == 0:
                print(f"{stage.name}, {target}: {dict(total.counts)}", flush=True)
        yield target, total


def main() -> None:
    """Run the campaign and print its table; fails where a fault was not survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=sorted(STAGES), metavar="STAGE")
    parser.add_argument("--kills", type=int, default=50, help="kills of each stage and target (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="of moments and victims (default: 1)")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS), help="default: all")
    options = parser.parse_args()
    rows, problems = [], []
    for name in options.stages:
        for target, tally in campaign(STAGES[name], options.target, options.kills, options.seed):
            rows.append(tally.row(name, target))
            problems += tally.problems
            print(rows[-1], flush=True)
    print("\n| stage | killed | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    print("\n".join(rows))
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
