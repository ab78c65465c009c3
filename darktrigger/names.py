"""Names that users and models choose and that end up in names of files, histograms and labels of plots."""

from __future__ import annotations

import reprlib

#: File systems take 255 bytes; prefixes, suffixes and the name of a temporary file need some.
_MOST_BYTES = 120


def name_problem(name: str) -> str | None:
    """Why a name cannot be part of a file's name; None where it can.

    Parameters
    ----------
    name
        Of a dataset or a score.
    """
    if not name.strip() or name.startswith("."):
        return "must not be empty or start with a dot"
    if bad := [letter for letter in name if letter in "/\\" or not letter.isprintable()]:
        return f"must not contain {bad[0]!r}"
    if len(name.encode(errors="replace")) > _MOST_BYTES:
        return f"must not be longer than {_MOST_BYTES} bytes"
    return None


def label_problem(text: str) -> str | None:
    """Why a text cannot be drawn on a plot; None where it can.

    Parameters
    ----------
    text
        Plain, or with LaTeX between dollar signs.
    """
    if len(text) > _MOST_BYTES:
        return f"must not be longer than {_MOST_BYTES} characters"
    if not text.isprintable():
        return "must not contain control characters"
    if text.count("$") > 1:
        # Only texts with formulas have to wait for the import.
        from matplotlib.mathtext import MathTextParser  # noqa: PLC0415

        try:
            MathTextParser("path").parse(text)
        except ValueError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            return f"is LaTeX that cannot be drawn ({lines[-1] if lines else 'unbalanced dollar signs'})"
    return None


def shortened(value: object, length: int = 200) -> str:
    """``repr`` of a value for a message, without the middle of a long one and however deeply it is nested."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = length
    text = short.repr(value)
    return text if len(text) <= length else f"{text[: length // 2]} ... {text[-length // 4 :]}"
