"""Hook of mkdocs: docstrings name things with Sphinx' roles, which Markdown would show."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):(?=<code>)")


def on_page_content(html: str, **_: Any) -> str:
    """Leave the name, drop the role."""
    return _ROLE.sub("", html)
