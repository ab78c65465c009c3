from pathlib import Path

import pytest

from darktrigger.config import StrictModel, load_config, validate
from darktrigger.errors import ConfigError


class Inner(StrictModel):
    epochs: int = 30


class Outer(StrictModel):
    training: Inner = Inner()
    seed: int = 42


def test_unknown_key_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml:\n  training: unknown key 'epoch'; did you mean 'epochs'\?"):
        validate(Outer, {"training": {"epoch": 3}}, "c.yaml")
    with pytest.raises(ConfigError, match="unknown key 'colour'; valid keys: seed, training"):
        validate(Outer, {"colour": "red"}, "c.yaml")


def test_wrong_type_shows_path_and_value() -> None:
    with pytest.raises(ConfigError, match=r"training\.epochs: .*integer.*\(found 'many'\)"):
        validate(Outer, {"training": {"epochs": "many"}}, "c.yaml")


def test_resolved_config_reads_back(tmp_path: Path) -> None:
    config = Outer(seed=7)
    config.to_yaml(tmp_path / "c.yaml")
    assert "epochs: 30" in (tmp_path / "c.yaml").read_text()
    assert Outer.from_yaml(tmp_path / "c.yaml") == config
    assert load_config(Outer, None) == Outer()


@pytest.mark.parametrize("text", ["a: [", "!!python/object/apply:os.system ['true']", "- 1\n- 2"])
def test_bad_yaml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        load_config(Outer, tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Outer, tmp_path / "absent.yaml")


def test_empty_file_means_defaults(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert load_config(Outer, tmp_path / "c.yaml") == Outer()
