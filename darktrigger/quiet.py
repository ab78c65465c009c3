"""Keep what C++ libraries print off our standard output."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stdout() -> Iterator[Callable[[], str]]:
    """Divert file descriptor 1; yields a function that returns what was printed so far."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    saved = os.dup(1)
    with tempfile.TemporaryFile() as stream:
        os.dup2(stream.fileno(), 1)

        def said() -> str:
            flush(None)
            stream.seek(0)
            return stream.read().decode(errors="replace")

        try:
            yield said
        finally:
            flush(None)
            os.dup2(saved, 1)
            os.close(saved)
