"""Mutations of YAML as text: tags, anchors, bombs, nesting and what else only the parser sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.fuzz.mutate import mutate

_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)
)


def spoil_text(text: str, folder: Path, rng: np.random.Generator) -> bytes:
    """One mutation of a YAML text; code in a tag would leave a file in ``folder``."""
    if rng.random() < 0.35:
        return mutate(text.encode(), rng)
    lines = text.split("\n")
    place = int(rng.integers(len(lines)))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    inserted = _inserted(folder)
    piece = inserted[int(rng.integers(len(inserted)))]
    which = rng.random()
    if which < 0.4 and ":" in lines[place]:
        lines[place] = f"{lines[place].split(':')[0]}: {piece}"
    elif which < 0.7:
        lines.insert(place, f"{indent}strange: {piece}")
    elif which < 0.8:
        lines.insert(place, lines[place])
    elif which < 0.9:
        return (_BOMB + text).encode()
    else:
        encoded = ("utf-16", "utf-8-sig", "utf-32", "latin-1")
        return text.encode(encoded[int(rng.integers(len(encoded)))])
    return "\n".join(lines).encode()


def _inserted(folder: Path) -> tuple[str, ...]:
    sprung = folder / "sprung"
    return (
        f'!!python/object/apply:os.system ["touch {sprung}"]',
        f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{sprung}']]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1, 2]",
        "!!python/object/new:tuple [[1]]",
        "!!binary aGVsbG8=",
        "!!binary '='",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!timestamp 2001-01-01",
        "!!int x",
        "!!float ''",
        "!unknown x",
        "!!null x",
        "&a [*a]",
        "&a {b: *a}",
        "*nowhere",
        "{<<: *nowhere}",
        "{<<: {ht_min: 1}}",
        "{<<: [1, 2]}",
        "{[1, 2]: 3}",
        "{{}: 3}",
        "? [a]\n: b",
        "[" * 2000,
        "[" * 2000 + "]" * 2000,
        "{a: " * 900 + "1" + "}" * 900,
        "1:30:00",
        "2001-01-01",
        "0o777",
        "0x" + "f" * 400,
        "9" * 5000,
        "1e400",
        ".nan",
        ".inf",
        "-.inf",
        "yes",
        "|\n  text",
        ">-",
        "'unclosed",
        '"\\ud800"',
        '"\\0"',
        "%TAG ! x",
        "--- a\n--- b",
        "\t x",
        "@x",
        "`x`",
    )
