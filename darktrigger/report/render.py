"""A report as HTML."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from darktrigger import __version__
from darktrigger.report.blocks import Report

_PACKAGE, _FOLDER = "darktrigger.report", "templates"


def render(report: Report) -> str:
    """One HTML page that loads nothing: styles and pictures lie in it, scripts and requests it forbids itself.

    Everything that the report holds is escaped: names of datasets and scores come from users' files.
    """
    environment = Environment(
        loader=PackageLoader(_PACKAGE, _FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    style = (resources.files(_PACKAGE) / _FOLDER / "report.css").read_text(encoding="utf-8")
    template = environment.get_template("report.html.j2")
    # The style sheet is ours, and holds no markup.
    return template.render(report=report, style=Markup(style), version=__version__)  # noqa: S704
