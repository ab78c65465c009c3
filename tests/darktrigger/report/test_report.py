"""The report of an analysis and of a whole run: complete, self-contained, escaped."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import yaml
from typer.testing import CliRunner

from analysis.summary import Summary
from darktrigger.cli import app
from darktrigger.errors import DarktriggerError, UnreadableFileError
from darktrigger.report.blocks import Listing, Paragraph, Picture, Pictures, Report, Section, Table
from darktrigger.report.collect import collect
from darktrigger.report.files import markdown_table, picture
from darktrigger.report.numbers import measured
from darktrigger.report.render import render

from .conftest import HOSTILE
from .page import Page


def report_of(folder: Path, *options: str) -> Page:
    """Run the command and read the page."""
    result = CliRunner().invoke(app, ["report", str(folder), *options])
    assert result.exit_code == 0, result.output
    path = Path(result.output.strip())
    return Page(path.read_text(encoding="utf-8"))


def assert_self_contained(page: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert all(value.startswith("data:image/png;base64,") for value in page.values("src"))
    assert all(value.startswith("#") for value in page.values("href"))
    assert set(page.values("href")) == {f"#{value}" for value in page.values("id")}


def test_report_of_an_analysis(analysed: Path, tmp_path: Path) -> None:
    page = report_of(analysed, "-o", str(tmp_path / "report.html"))
    assert_self_contained(page)
    summary = Summary.read(analysed)
    found = summary.signals["suep"]["excess_tracks"].auroc
    assert found is not None
    row = next(row for row in page.rows if row[:2] == ["suep", "excess_tracks"])
    assert row[4] == measured(found, 100)
    background = summary.abcd[0].background
    row = next(row for row in page.rows if row[0] == "excess_tracks × missing_e_t")
    assert row[3].startswith(f"{background.counts.a:.4g} ± ")
    assert row[9] == ", ".join(f"{events:.0f}" for events in background.events)
    step = summary.datasets["qcd"].cutflow[1]
    assert ["qcd", "HT > 500 GeV", str(step.events), f"{step.sum_of_weights:.4g}"] in [row[:4] for row in page.rows]
    assert summary.trigger.fingerprint in page.text
    assert '"seed"' in page.text  # of the training, from the model's metadata
    assert "background_efficiencies" in page.text
    assert ["uproot", summary.versions["uproot"]] in page.rows


def test_report_shows_every_plot_and_a_display_of_each_dataset(analysed: Path, tmp_path: Path) -> None:
    page = report_of(analysed, "-o", str(tmp_path / "report.html"))
    names = page.values("alt")
    assert {path.stem for path in (analysed / "plots").glob("*.png")} < set(names)
    assert [name.partition(":")[0] for name in names if ": entry 0 of" in name] == ["qcd", "suep"]
    shown = page.values("src")[names.index("cutflow")]
    data = base64.b64decode(shown.partition(",")[2])
    assert data == (analysed / "plots" / "cutflow.png").read_bytes()
    assert matplotlib.image.imread(io.BytesIO(data)).ndim == 3


def test_report_of_an_estimate(analysed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "estimate"
    (folder / "plots").mkdir(parents=True)
    for name in ("closure", "sic_svj", "other"):
        (folder / "plots" / f"{name}.png").write_bytes((analysed / "plots" / "cutflow.png").read_bytes())
    (folder / "closure.md").write_text("### Closure\n\n| efficiency | rms |\n| --- | --- |\n| 1% | 11% |\n")
    (folder / "menu.yaml").write_text("trigger: abc\n")
    page = report_of(folder)
    assert_self_contained(page)
    assert ["1%", "11%"] in page.rows
    assert page.values("alt") == ["closure", "sic_svj", "other"]
    assert "trigger: abc" in page.text
    assert "Likelihood fit" not in page.text


def test_names_are_escaped(hostile: Path) -> None:
    page = report_of(hostile, "--displays", "0")
    assert_self_contained(page)
    assert any(HOSTILE in row for row in page.rows)


def test_every_kind_of_block_is_escaped() -> None:
    blocks = (
        Table(HOSTILE, (HOSTILE,), ((HOSTILE,),)),
        Picture(HOSTILE, "data:image/png;base64,"),
        Pictures(HOSTILE, (Picture(HOSTILE, "data:image/png;base64,"),), folded=True),
        Listing(HOSTILE, HOSTILE),
        Paragraph(HOSTILE),
    )
    page = Page(render(Report(HOSTILE, (Section("Blocks", blocks),))))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) == 11
    assert page.values("alt") == [HOSTILE, HOSTILE]


def test_a_model_that_changed_is_not_described(analysed: Path, changed: Callable[..., Path]) -> None:
    def other(summary: dict[str, Any]) -> None:
        summary["trigger"]["fingerprint"] = "0" * 64

    page = report_of(changed(other), "--displays", "0")
    assert f"{analysed.parent / 'trigger.onnx'} has changed since the analysis" in page.text
    assert '"seed"' not in page.text


def test_input_files_that_are_gone(changed: Callable[..., Path], tmp_path: Path) -> None:
    def move(summary: dict[str, Any]) -> None:
        summary["datasets"]["suep"]["files"] = [str(tmp_path / "gone.root")]

    page = report_of(changed(move))
    assert "suep has no display: " in page.text
    assert ["suep", str(tmp_path / "gone.root"), "cannot be read now"] in page.rows


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(DarktriggerError, match=r"holds neither summary\.json .* nor analysis/summary\.json"):
        collect(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG"])
def test_a_picture_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plot.png").write_bytes(content)
    with pytest.raises(UnreadableFileError, match="not a PNG picture"):
        picture(tmp_path / "plot.png")


def test_markdown_table(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    path.write_text(
        "### AUROC\n\n| Score | SUEP |\n| --- | --- |\n| bce | 90 [89, 91] |\n| sse |\n\n| Other |\n| --- |\n| 1 |\n"
    )
    assert markdown_table(path, "AUROC") == Table("AUROC", ("Score", "SUEP"), (("bce", "90 [89, 91]"), ("sse", "")))
    path.write_text("nothing\n")
    with pytest.raises(UnreadableFileError, match="holds no Markdown table"):
        markdown_table(path, "AUROC")


@pytest.mark.slow
def test_report_of_a_whole_run(data: Path, tmp_path: Path) -> None:
    config = {
        "output": str(tmp_path / "out"),
        "fileset": {
            "qcd": [str(data / "qcd.root")],
            "suep": {"files": [str(data / "suep1000.root")], "metadata": {"process": "suep", "mass": 1000}},
        },
        "model": {"family": "excess", "training": {"epochs": 1, "batch_size": 8}},
        "analysis": {"abcd": {"pairs": [["excess_tracks", "missing_e_t"]], "efficiencies": [0.5]}},
    }
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["run", str(tmp_path / "chain.yaml")])
    assert result.exit_code == 0, result.output
    page = report_of(tmp_path / "out")
    assert_self_contained(page)
    sections = ["cutflow", "event-displays", "training", "evaluation", "roc", "efficiencies", "abcd"]
    assert page.values("id") == [*sections, "configuration", "provenance"]
    record = json.loads((tmp_path / "out" / "train" / "run.json").read_text())
    assert ["events", str(record["events"])] in page.rows
    assert "seed: 42" in page.text
    assert {"qcd_0", "suep_0", "curves"} <= set(page.values("alt"))
