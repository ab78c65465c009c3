"""YAML that fuzzing found, or that is made to do harm: refused with one message, and nothing is run."""

from pathlib import Path

import pytest

from darktrigger.config import StrictModel, load_config, read_yaml
from darktrigger.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{old}'] * 9)}]\n" for old, name in zip("abcdefghi", "bcdefghij", strict=True)
)


class Settings(StrictModel):
    """Stands for any."""

    seed: int = 1


@pytest.mark.parametrize(
    "tag",
    [
        '!!python/object/apply:os.system ["touch {mark}"]',
        "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]",
        '!!python/object/new:os.system ["touch {mark}"]',
        "!!python/name:os.system",
        "!!python/module:os",
    ],
)
def test_no_tag_runs_code(tag: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "c.yaml"
    path.write_text(f"seed: {tag.format(mark=mark)}\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: not valid YAML"):
        load_config(Settings, path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 1000000 values"),
        ("a: &a [*a]", "or itself"),
        ("a: &a {b: *a}", "or itself"),
        ("a: " + "[" * 5000, "not valid YAML"),
        ("a: " + "[" * 3000 + "]" * 3000, "not valid YAML"),
        ("a: 2001-13-45", "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!int x", "not valid YAML"),
        ("{[1, 2]: 3}", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
    ],
)
def test_what_no_parser_should_swallow(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(path)
    assert len(str(caught.value)) < 1000


def test_aliases_that_a_fileset_may_use(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: &a {process: suep}\nb: *a\nc: {<<: *a, mass: 3}\n")
    assert read_yaml(path) == {"a": {"process": "suep"}, "b": {"process": "suep"}, "c": {"process": "suep", "mass": 3}}


def test_a_huge_value_does_not_fill_the_message(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"seed: {'x' * 10**5}\n")
    with pytest.raises(ConfigError, match="seed") as caught:
        load_config(Settings, path)
    assert len(str(caught.value)) < 1000
