"""A campaign: cases in a child process, which may die or hang, judged one by one."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.fuzz.cheap import cheap
from benchmarks.fuzz.judge import Verdict, files_in, judge, run
from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.kinds import KINDS

#: Address space of the process that runs the cases: what asks for more than a laptop has fails, as it would there.
_MEMORY = 16 << 30

#: The child is replaced after so many cases, so that leaks do not add up.
_CASES_A_CHILD = 1000

#: A case that uses no processor may wait for so many times its limit, since others use the machine too.
_WAITING = 15


class Campaign(NamedTuple):
    """What to do.

    Parameters
    ----------
    kind, seed
        Kind of input, and what its cases follow from.
    timeout
        Processor time that a case may take, s.
    drawn
        Share of the cases in which plots are drawn and exported models traced, which takes seconds.
    keep
        Folder for the files of findings.
    """

    kind: str
    seed: int
    timeout: float
    drawn: float
    keep: Path


def _work(campaign: Campaign, valid: Path, pipe: Connection) -> None:
    """Answer case numbers with verdicts until the parent hangs up."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not any(valid.iterdir()):
        (valid / OUT).mkdir()
        KINDS[campaign.kind]().prepare(valid)
    warm_up(campaign.kind, valid)
    pipe.send(None)
    while (number := pipe.recv()) is not None:
        # The kernel ends the process when its time is up, whatever it is doing; waiting for others does not count.
        signal.setitimer(signal.ITIMER_PROF, campaign.timeout)
        verdict = _one(campaign, number, valid)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(verdict)


def warm_up(kind: str, valid: Path) -> None:
    """Run the kind's commands on sound input: imports and compilation are not the cases' fault.

    Raises
    ------
    RuntimeError
        Sound input is refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        for i, arguments in enumerate(KINDS[kind]().sound(valid, Path(folder))):
            with cheap():
                result = run(arguments)
            if result.code:
                raise RuntimeError(f"{' '.join(arguments)} ({i}): {result.stderr}")


def _one(campaign: Campaign, number: int, valid: Path) -> Verdict:
    folder = folder_of(campaign, number)
    shutil.rmtree(folder, ignore_errors=True)
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    rng = np.random.default_rng([campaign.seed, number])
    arguments = KINDS[campaign.kind]().case(rng, valid, folder)
    (folder / "command.txt").write_text("\n".join(arguments))
    tempfile.tempdir = str(scratch)
    before = files_in(folder)
    drawn = np.random.default_rng([campaign.seed, number, 1]).random() < campaign.drawn
    with nullcontext() if drawn else cheap():
        result = run(arguments)
    tempfile.tempdir = None
    verdict = judge(arguments, result, folder, before)
    if verdict.outcome == "finding":
        (folder / "stderr.txt").write_text(f"{verdict.reason}\n{result.stderr}")
    else:
        shutil.rmtree(folder)
    return verdict


def folder_of(campaign: Campaign, number: int) -> Path:
    """Where a case's files lie."""
    return campaign.keep / f"{campaign.kind}-{campaign.seed}-{number}"


class _Child:
    """The process that runs the cases."""

    def __init__(self, campaign: Campaign, valid: Path) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(campaign, valid, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()
        self.cases = 0

    def ask(self, number: int, timeout: float) -> Verdict:
        """The verdict on a case; a death or a hang of the child is one too, and its end."""
        self.cases += 1
        self.pipe.send(number)
        if not self.pipe.poll(_WAITING * timeout):
            self.end()
            return Verdict("finding", f"hangs, without using the processor, for {_WAITING * timeout:g} s")
        try:
            verdict: Verdict = self.pipe.recv()
        except EOFError:
            self.process.join()
            if self.process.exitcode == -signal.SIGPROF:
                return Verdict("finding", f"hangs (more than {timeout:g} s of processor time)")
            return Verdict("finding", f"the interpreter dies (exit status {self.process.exitcode})")
        return verdict

    def end(self) -> None:
        """Make an end of the process."""
        self.process.kill()
        self.process.join()


def run_campaign(
    campaign: Campaign, numbers: Sequence[int], minutes: float
) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Run the cases, as many as the time allows; returns the count of each outcome, and the findings."""
    counts: Counter[str] = Counter()
    findings: list[tuple[int, str]] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        valid = Path(scratch)
        child = _Child(campaign, valid)
        for number in numbers:
            if time.monotonic() - started > 60 * minutes:
                break
            if not child.process.is_alive() or child.cases >= _CASES_A_CHILD:
                child.end()
                child = _Child(campaign, valid)
            verdict = child.ask(number, campaign.timeout)
            counts[verdict.outcome] += 1
            if verdict.outcome == "finding":
                findings.append((number, verdict.reason))
                print(f"finding: seed {campaign.seed}, case {number}: {verdict.reason}", flush=True)
            if (number + 1) % 50 == 0:
                print(f"{number + 1}: {dict(counts)}, {time.monotonic() - started:.0f} s", flush=True)
        child.end()
    return counts, findings
