"""What the documentation tells people to type exists: commands and their options."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from darktrigger.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "README.md"]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def lines_of(text: str) -> Iterator[str]:
    """Commands of darktrigger in a piece of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|", line):
            if part.strip().startswith("darktrigger "):
                yield part.strip()


def commands_of(path: Path) -> list[str]:
    return [line for block in _SHELL.findall(path.read_text(encoding="utf-8")) for line in lines_of(block)]


def check(line: str) -> None:
    _, command, *words = shlex.split(line, comments=True)
    if command.startswith("--"):
        return
    known = {option for parameter in COMMANDS[command].params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word not in known]
    assert not unknown, line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_a_page_exist(path: Path) -> None:
    for line in commands_of(path):
        check(line)


def test_the_pages_have_commands() -> None:
    assert sum(len(commands_of(path)) for path in PAGES) > 25


def test_commands_of_the_tutorial_exist() -> None:
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in lines_of("".join(cell["source"]))]
    assert len(lines) > 8
    for line in lines:
        check(line)


def test_the_home_page_has_every_command() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `darktrigger ([\w-]+)", text, re.MULTILINE)) == set(COMMANDS)


def test_a_wrong_option_is_found() -> None:
    with pytest.raises(AssertionError, match="--weigths"):
        check("darktrigger evaluate excess images.parquet -o out --weigths unit  # comment")
