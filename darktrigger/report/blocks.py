"""What a report consists of: plain typed containers, which the template turns into HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True)
class Table:
    """A table; every row has as many cells as the header."""

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture; ``source`` is a data URI that holds all of it."""

    kind: ClassVar[str] = "picture"
    caption: str
    source: str


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, ``large`` ones below each other; ``folded`` hides them until the reader asks for them."""

    kind: ClassVar[str] = "pictures"
    caption: str
    pictures: tuple[Picture, ...]
    folded: bool = False
    large: bool = False


@dataclass(frozen=True)
class Listing:
    """The text of a file, as it is."""

    kind: ClassVar[str] = "listing"
    caption: str
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    kind: ClassVar[str] = "paragraph"
    text: str


Block: TypeAlias = Table | Picture | Pictures | Listing | Paragraph


@dataclass(frozen=True)
class Section:
    """A chapter, which the table of contents names."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """Where links to the section lead."""
        return "-".join(self.title.lower().split())


@dataclass(frozen=True)
class Report:
    """The whole report; sections without content are left out."""

    title: str
    sections: tuple[Section, ...]
