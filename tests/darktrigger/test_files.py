import pickle
from pathlib import Path

import pytest

from darktrigger.errors import BadValueError, DarktriggerError, UnreadableFileError
from darktrigger.files import atomic_path, fingerprint, read_json, write_json, write_text
from darktrigger.inputs import expand_paths


def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.txt"
    write_text(path, "old")

    def fail_half_way() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail_half_way()
    assert [(file.name, file.read_text()) for file in path.parent.iterdir()] == [("file.txt", "old")]


def test_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(DarktriggerError, match=r"file\.txt: cannot be written \(No space left"),
        atomic_path(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_json_round_trip_and_refusals(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", {"a": [1, None]})
    assert read_json(tmp_path / "f.json") == {"a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "f.json", float("nan"))
    (tmp_path / "f.json").write_text("{")
    with pytest.raises(UnreadableFileError, match="not valid JSON"):
        read_json(tmp_path / "f.json")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_json(tmp_path / "absent.json")


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    content = bytes(300_000)
    first.write_bytes(content)
    second.write_bytes(content)
    assert fingerprint(first) == fingerprint(second)
    second.write_bytes(content + b"0")
    assert fingerprint(first) != fingerprint(second)


def test_input_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(BadValueError("f.root", "holds nan")))  # noqa: S301
    assert isinstance(error, BadValueError)
    assert str(error) == "f.root: holds nan"


def test_paths_expand_in_order(tmp_path: Path) -> None:
    for name in ("b.root", "a.root"):
        (tmp_path / name).touch()
    expanded = expand_paths(["*.root", "root://host//c.root", "absent.root"], tmp_path)
    assert expanded == [
        *(str(tmp_path / name) for name in ("a.root", "b.root")),
        "root://host//c.root",
        str(tmp_path / "absent.root"),
    ]
    with pytest.raises(UnreadableFileError, match=r"\*\.hepmc: matches no file"):
        expand_paths(["*.hepmc"], tmp_path)
