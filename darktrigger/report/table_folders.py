"""Sections of a report on folders of tables and plots: of ``darktrigger evaluate`` and ``darktrigger estimate``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from darktrigger.files import read_json
from darktrigger.report import tables
from darktrigger.report.blocks import Block, Pictures, Section
from darktrigger.report.files import listing, markdown_table, pictures_of

#: Tables that ``darktrigger evaluate`` may have left, and what they are.
_EVALUATION = {
    "auroc": "AUROC in %, on all held-out events, with 68% interval.",
    "fpr": "False positive rate in % at the quoted signal efficiency, with 68% interval.",
    "rejection": "Background rejection at the quoted signal efficiency.",
    "reconstruction": "Quality of the reconstruction.",
    "mmd": "Distances between samples in input and latent space.",
    "compression": "Compressed models against their reference.",
}

#: Sections on ``darktrigger estimate``: title, tables with what they are, and how the names of their plots start.
_ESTIMATE: tuple[tuple[str, Mapping[str, str], Sequence[str]], ...] = (
    ("Closure", {"closure": "B C / D against the true background of the signal region."}, ("closure",)),
    (
        "Significance",
        {
            "significance": "Significance of the injected signals.",
            "stability": "The same for several trainings.",
            "sic": "Significance improvement.",
        },
        ("significance", "stability", "sic"),
    ),
    (
        "Likelihood fit",
        {"fit": "Fit to the four regions.", "experiments": "Pseudo-experiments: pulls and coverage."},
        ("experiments", "pulls"),
    ),
    ("Trigger", {"rates": "Prescales and rates of the regions."}, ("rates",)),
    ("Sculpting", {}, ("sculpting",)),
)


class EvaluationFolder:
    """What ``darktrigger evaluate`` wrote.

    Parameters
    ----------
    folder
        With Markdown tables and ``plots``.
    """

    MARK = "evaluation.json"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sections(self) -> list[Section]:
        """Tables and figures, then models, samples and versions."""
        return [self.evaluation(), Section("Provenance", tuple(self._provenance()))]

    def evaluation(self) -> Section:
        """Tables and figures."""
        return Section("Evaluation", tuple(self._evaluation()))

    def _evaluation(self) -> Iterator[Block]:
        yield from _tables(self.folder, _EVALUATION)
        if (self.folder / "dominance.md").exists():
            yield listing(self.folder / "dominance.md", "Almost stochastic order of the scores")
        yield from _plots(self.folder, "Plots of the evaluation", [""], folded=True)

    def _provenance(self) -> Iterator[Block]:
        found = read_json(self.folder / self.MARK)
        for key in ("models", "samples"):
            for item in found.get(key, ()):
                yield tables.pairs(f"{key.capitalize()}: {item.get('name', '')}", item)
        for key, caption in (
            ("images", "Image files with fingerprints."),
            ("config", "Settings."),
            ("versions", "Versions."),
        ):
            if key in found:
                yield tables.pairs(caption, found[key])


class EstimateFolder:
    """What ``darktrigger estimate`` wrote.

    Parameters
    ----------
    folder
        With Markdown tables, ``menu.yaml``, ``config.yaml`` and ``plots``.
    """

    MARK = "closure.md"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sections(self) -> list[Section]:
        """One a question, then plots that have no place, menu and settings."""
        placed = tuple(prefix for _, _, prefixes in _ESTIMATE for prefix in prefixes)
        rest = [path.name for path in _pictures(self.folder) if not path.name.startswith(placed)]
        texts = [listing(self.folder / name) for name in ("menu.yaml", "config.yaml") if (self.folder / name).exists()]
        return [
            *(
                Section(title, (*_tables(self.folder, found), *_plots(self.folder, title, prefixes)))
                for title, found, prefixes in _ESTIMATE
            ),
            Section("Further plots", tuple(_plots(self.folder, "Plots", rest)) if rest else ()),
            Section("Menu and configuration", tuple(texts)),
        ]


def _tables(folder: Path, captions: Mapping[str, str]) -> Iterator[Block]:
    for name, caption in captions.items():
        if (folder / f"{name}.md").exists():
            yield markdown_table(folder / f"{name}.md", caption)


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "plots").glob("*.png"))


def _plots(folder: Path, caption: str, prefixes: Sequence[str], *, folded: bool = False) -> Iterator[Block]:
    found = pictures_of(_pictures(folder), prefixes)
    if found:
        yield Pictures(caption, found, folded)
