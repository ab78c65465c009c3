"""Compiled readers that a damaged file can crash, in a process of their own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, ParamSpec, TypeVar

from darktrigger.errors import DarktriggerError

P = ParamSpec("P")
Item = TypeVar("Item")


class CrashedError(DarktriggerError):
    """The process ended without an answer."""


class _Message(NamedTuple):
    item: Any = None
    error: Exception | None = None
    is_last: bool = False


def isolated(produce: Callable[P, Iterator[Item]], *arguments: P.args, **keywords: P.kwargs) -> Generator[Item]:
    """Items that a function yields in another process, which works ahead by what a pipe holds.

    Not by :mod:`multiprocessing`, which would run the user's script again in the process unless it is guarded.

    Parameters
    ----------
    produce
        Function of a module; what it takes, yields and raises has to survive pickling.

    Raises
    ------
    CrashedError
        The process died.
    """
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb") as answers:
        try:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", f"from {__name__} import serve; serve({sending})"],
                stdin=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[sending],
            )
        finally:
            os.close(sending)
        try:
            yield from _answers(process, answers, pickle.dumps((produce, arguments, keywords)))
        finally:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], answers: Any, question: bytes) -> Iterator[Any]:
    assert process.stdin is not None  # noqa: S101 (for the type checker)
    # A process that died before it could read says so by what it answers: nothing.
    with suppress(BrokenPipeError), process.stdin as stream:
        stream.write(question)
    while True:
        try:
            message: _Message = pickle.load(answers)  # noqa: S301 (our own process')
        except (EOFError, pickle.UnpicklingError):
            raise CrashedError(_cause(process.wait())) from None
        if message.error is not None:
            raise message.error
        if message.is_last:
            return
        yield message.item


def serve(sending: int) -> None:
    """Answer the question on the standard input; the other end of :func:`isolated`."""
    # Ctrl-C is for whoever asked, who ends this process; one that was killed closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(sending, "wb") as answers:

        def send(message: _Message) -> None:
            pickle.dump(message, answers)
            answers.flush()

        try:
            produce, arguments, keywords = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own process')
            for item in produce(*arguments, **keywords):
                send(_Message(item))
            send(_Message(is_last=True))
        except BrokenPipeError:
            # Nobody listens any more; nor is there anything left to flush.
            os._exit(1)
        except Exception as error:  # noqa: BLE001 (raised again where it can be handled)
            send(_Message(error=error))


def _cause(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
