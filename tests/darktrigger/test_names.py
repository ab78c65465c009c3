"""Names that become names of files, and texts that are drawn."""

import pytest

from darktrigger.names import label_problem, name_problem, shortened

ESCAPES = ["../../x", "/etc/x", "a/b", "a\\b", "..", ".", ".hidden", "", " ", "a\0b", "a\nb", "x" * 300, "é" * 100]


@pytest.mark.parametrize("name", ESCAPES)
def test_names_that_leave_the_folder_or_are_no_file_names(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize("name", ["qcd", "suep 1000", "suep_1000.v2", "é☃", "$x", "-o", "~"])
def test_names_that_files_can_have(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("text", ["$\\frac{1}{$", "$\\undefined{x}$", "$a$ and $\\frac{$", "x" * 300, "a\nb", "a\0"])
def test_texts_that_cannot_be_drawn(text: str) -> None:
    assert label_problem(text)


@pytest.mark.parametrize("text", ["", "QCD", "5 $", r"$Z' \to q\bar{q}$, 3 TeV", "100%", "é"])
def test_texts_that_can_be_drawn(text: str) -> None:
    assert label_problem(text) is None


def test_long_and_deep_values_are_shortened() -> None:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep] * 9
    assert len(shortened(deep)) < 300
    assert len(shortened("x" * 10**6)) < 300
    assert shortened("short") == "'short'"
