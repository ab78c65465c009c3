"""Filesets and their metadata."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.fileset import DatasetMetadata, background_factors, read_fileset
from darktrigger.errors import DarktriggerError, InputFileError


def fileset(tmp_path: Path, content: Any, name: str = "fileset.yaml") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(content) if name.endswith("json") else yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", ["fileset.yaml", "fileset.json"])
def test_both_forms_mean_the_same(tmp_path: Path, name: str) -> None:
    content = {"qcd": ["a.root"], "again": {"files": {"a.root": "Delphes"}, "metadata": {"process": "qcd"}}}
    first, second = read_fileset(fileset(tmp_path, content, name))
    assert first.files == second.files == {str(tmp_path / "a.root"): "Delphes"}
    assert first.metadata == second.metadata
    assert first.metadata.is_background


def test_globs_relative_paths_and_addresses(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.root", "a.root", "c.txt"):
        (tmp_path / "data" / name).touch()
    remote = "root://eos.example//store/x.root"
    (dataset,) = read_fileset(
        fileset(tmp_path, {"svj": {"files": ["data/*.root", remote], "metadata": {"process": "svj"}}})
    )
    assert list(dataset.files) == [str(tmp_path / "data/a.root"), str(tmp_path / "data/b.root"), remote]


def test_a_tree_may_be_named(tmp_path: Path) -> None:
    (dataset,) = read_fileset(fileset(tmp_path, {"qcd": {"files": {"a.root": "Events"}}}))
    assert list(dataset.files.values()) == ["Events"]


def test_glob_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"\*\.root: matches no file"):
        read_fileset(fileset(tmp_path, {"qcd": ["*.root"]}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a mapping of dataset names"),
        ({"qcd": {"file": ["a"]}}, "unknown key 'file'; did you mean 'files'"),
        ({"qcd": []}, "names no file"),
        ({"a/b": ["a.root"]}, "must not contain '/'"),
        ({"../../x": ["a.root"]}, "dataset name '../../x' must not"),
        ({"/etc/x": ["a.root"]}, "must not contain '/'"),
        ({"..": ["a.root"]}, "must not be empty or start with a dot"),
        ({"a\0b": ["a.root"]}, "must not contain '.x00'"),
        ({"x" * 500: ["a.root"]}, "must not be longer than"),
        ({"qcd": ["a\0.root"]}, "is no path"),
        ({"qcd": ["a" * 5000]}, "is no path"),
        ({"qcd": {"files": ["a"], "metadata": {"mass": [1]}}}, r"mass: .*number.*\[1\]"),
        ({"qcd": {"files": ["a"], "metadata": {"legend": "$\\frac{$"}}}, "legend is LaTeX that cannot be drawn"),
        ({"qcd": {"files": ["a"], "metadata": {"process": "$\\frac{$", "label": 3}}}, "process is LaTeX"),
        ({"ttbar": ["a.root"]}, "process 'ttbar' has no label of its own"),
        ({"qcd": {"files": ["a"], "metadata": {"cross_section": -1}}}, r"cross_section.*-1"),
        ({"qcd": {"files": ["a"], "metadata": {"crosssection": 1}}}, "did you mean 'cross_section'"),
        ({"qcd": {"files": ["a"], "metadata": {"entries": {"modulo": 2, "keep": [2]}}}}, "keep must lie in 0 to 1"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DarktriggerError, match=message):
        read_fileset(fileset(tmp_path, content))


@pytest.mark.parametrize(
    ("data", "label", "legend"),
    [
        ({"process": "qcd"}, 0, "QCD"),
        ({"process": "suep", "mass": 400}, 1, "SUEP 400 GeV"),
        ({"process": "svj", "mass": 3100}, 2, "SVJ 3.1 TeV"),
        ({"process": "top", "label": 5, "legend": "$t\\bar{t}$"}, 5, "$t\\bar{t}$"),
    ],
)
def test_label_and_legend(data: dict[str, Any], label: int, legend: str) -> None:
    metadata = DatasetMetadata.model_validate(data)
    assert (metadata.label, metadata.legend, metadata.is_background) == (label, legend, label == 0)


def test_backgrounds_are_added_as_their_cross_sections() -> None:
    def background(cross_section: float | None) -> DatasetMetadata:
        return DatasetMetadata.model_validate({"process": "qcd", "cross_section": cross_section})

    sums = {"one": 10.0, "two": 30.0}
    factors = background_factors({"one": background(3.0), "two": background(1.0)}, sums)
    assert factors["one"] * 10 == pytest.approx(3 * factors["two"] * 30)
    assert factors["one"] * 10 + factors["two"] * 30 == pytest.approx(40)
    assert background_factors({"one": background(3.0), "two": background(None)}, sums) == {"one": 1, "two": 1}
    assert background_factors({"one": background(3.0)}, sums) == pytest.approx({"one": 1})
