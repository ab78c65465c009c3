"""Compiled readers that a damaged file can crash, in a process of their own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
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


def isolated(produce: Callable[P, Iterator[Item]], *arguments: P.args, **keywords: P.kwargs) -> Iterator[Item]:
    """Items that a function yields in another process, which works ahead by what a pipe holds.

    Parameters
    ----------
    produce
        Function of a module; what it yields and raises has to survive pickling.

    Raises
    ------
    CrashedError
        The process died.
    """
    # Forking a process that runs threads may deadlock.
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, produce, arguments, keywords), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            try:
                message: _Message = ours.recv()
            except EOFError:
                process.join()
                raise CrashedError(_cause(process.exitcode)) from None
            if message.error is not None:
                raise message.error
            if message.is_last:
                return
            yield message.item
    finally:
        ours.close()
        process.terminate()
        process.join()


def _serve(connection: Connection, produce: Callable[..., Iterator[Any]], arguments: Any, keywords: Any) -> None:
    # Ctrl-C is for the parent, which ends this process; one that was killed closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for item in produce(*arguments, **keywords):
            connection.send(_Message(item))
        connection.send(_Message(is_last=True))
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 (raised again where it can be handled)
        connection.send(_Message(error=error))


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
