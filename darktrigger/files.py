"""Output files that are whole or absent, and fingerprints of input files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from darktrigger.errors import DarktriggerError, UnreadableFileError

_FINGERPRINT_BYTES = 1 << 16


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that is renamed to it on success.

    A reader never sees half a file under the final name, whatever kills the writer.
    The temporary keeps the suffix, since some writers choose their format by it.

    Raises
    ------
    DarktriggerError
        The folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{platform.node()}-{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise DarktriggerError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _remove_abandoned(path: Path) -> None:
    """Remove temporaries that processes of this machine left when they were killed."""
    pattern = re.compile(
        rf"{re.escape(f'.{path.stem}.{platform.node()}-')}(\d+){re.escape(f'.tmp{path.suffix}')}", re.ASCII
    )
    for name in os.listdir(path.parent):  # noqa: PTH208  (a thousand parts are a matter of milliseconds)
        found = pattern.fullmatch(name)
        if found and not _is_alive(int(found[1])):
            with suppress(OSError):
                (path.parent / name).unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, data: Any) -> None:
    """Write JSON atomically; NaN and infinity are refused, since JSON has neither."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    UnreadableFileError
        The file is absent or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(path, f"is not valid JSON ({error})") from None


def fingerprint(path: str | Path) -> str:
    """Identify a file's content cheaply: SHA-256 over its size, head and tail.

    The formats that we read (ROOT, Parquet, ONNX) keep identifiers, directories and
    checksums at either end, so two different files agree only by intent. Dates play no
    part: a copied file is the same file.

    Raises
    ------
    UnreadableFileError
        The file cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return _fingerprint(stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read ({error.strerror})") from None


def fingerprint_of(content: bytes) -> str:
    """The :func:`fingerprint` of a file of that content."""
    return _fingerprint(io.BytesIO(content), len(content))


def _fingerprint(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    digest.update(stream.read(_FINGERPRINT_BYTES))
    stream.seek(max(0, size - _FINGERPRINT_BYTES))
    digest.update(stream.read())
    return digest.hexdigest()


def hash_of(data: Mapping[str, Any]) -> str:
    """SHA-256 of plain data, independent of key order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
