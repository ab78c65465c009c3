"""Which versions made an output."""

from __future__ import annotations

import platform
from importlib import metadata

from darktrigger import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of darktrigger, Python and the named installed packages."""
    found = {"darktrigger": __version__, "python": platform.python_version()}
    return found | {package: metadata.version(package) for package in packages}
