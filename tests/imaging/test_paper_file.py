"""Files in the layout of the CoDAE paper's own."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darktrigger.errors import BadValueError, DarktriggerError, EmptyInputError, InputFileError, UnreadableFileError
from imaging.dense import coarse_e_t, coarse_mask
from imaging.image_source import open_images
from imaging.paper_file import read_paper_file


def images(n: int, channels: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lit = rng.random((n, 72, 58, channels)) < 0.03
    lit[:, :, [0, -1]] |= rng.random((n, 72, 2, channels)) < 0.2
    return (lit * rng.exponential(5, lit.shape)).astype(np.float32)


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_coarse_images_come_back_as_they_were(tmp_path: Path) -> None:
    image_NHWC = images(5, 3)
    n_tracks = np.arange(5, dtype=np.float32)[:, None]
    read = read_paper_file(write(tmp_path / "qcd_x.npz", images=image_NHWC, n_tracks=n_tracks))
    np.testing.assert_allclose(coarse_e_t(read.events.images), image_NHWC.transpose(0, 3, 1, 2), rtol=3e-7)
    np.testing.assert_array_equal(coarse_mask(read.events.images)[:, 0], image_NHWC[..., 0] > 0)
    np.testing.assert_array_equal(read.events.n_tracks, np.arange(5))
    assert read.columns == {"trk", "ecal", "hcal", "n_tracks"}
    assert np.isnan(read.events.ht).all()
    np.testing.assert_array_equal(read.events.weight, 1)


def test_source_reads_in_steps(tmp_path: Path) -> None:
    path = write(tmp_path / "svj_3100_1_2.npz", images=images(7, 1))
    source = open_images(path)
    parts = list(source.iterate(3))
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([part.entry for part in parts]), np.arange(7))
    assert {part.label[0] for part in parts} == {2}
    assert {part.mass[0] for part in parts} == {3100}
    assert source.columns == {"total"}
    source.require("coarse E_T", sums_channels=True)
    for kind in ("coarse mask", "coarse E_T"):
        with pytest.raises(InputFileError, match=rf"svj_3100_1_2\.npz: holds the sum of tracker.* '{kind}' needs them"):
            source.require(kind)
    with pytest.raises(InputFileError, match="holds coarse images; a model of input kind 'fine' needs image files"):
        source.require("fine")


def test_class_and_mass_of_each_event(tmp_path: Path) -> None:
    labels, masses = np.array([0.0, 1, 1, 2]), np.array([0.0, 3, 200, 5])
    read = read_paper_file(write(tmp_path / "mixed.npz", images=images(4, 1), labels=labels, masses=masses))
    np.testing.assert_array_equal(read.events.label, labels)
    np.testing.assert_array_equal(read.events.mass, [0, 700, 200, 2100])
    named = read_paper_file(write(tmp_path / "suep_gensim_h1000_phi2_1.npz", images=images(2, 1)))
    np.testing.assert_array_equal(named.events.label, [1, 1])
    np.testing.assert_array_equal(named.events.mass, [1000, 1000])


@pytest.mark.parametrize(
    ("name", "arrays", "error", "message"),
    [
        ("a", {"pixels": np.zeros(3)}, UnreadableFileError, r"has no array 'images' \(found: pixels\)"),
        ("a", {"images": np.zeros((2, 58, 72, 1))}, UnreadableFileError, r"\(events, 72, 58, 1 or 3\)"),
        ("a", {"images": np.array([None, {}])}, UnreadableFileError, "without pickle"),
        ("qcd_a", {"images": np.zeros((0, 72, 58, 1))}, EmptyInputError, "holds no events"),
        ("qcd_a", {"images": np.full((1, 72, 58, 1), np.nan)}, BadValueError, "negative or not finite"),
        ("qcd_a", {"images": np.full((1, 72, 58, 1), -1.0)}, BadValueError, "negative or not finite"),
        ("a", {"images": images(2, 1)}, BadValueError, "its name starts with none of"),
        ("a", {"images": images(2, 1), "labels": np.array([1, 7])}, BadValueError, r"labels are \[1, 7\]"),
        ("a", {"images": images(2, 1), "labels": np.array([1])}, UnreadableFileError, "one number for each of 2"),
        ("a", {"images": images(2, 1), "labels": np.array([1, 2])}, BadValueError, "without a known mass"),
        ("qcd_a", {"images": images(2, 1), "labels": np.array([1, 1])}, BadValueError, "the file's name says 0"),
    ],
)
def test_bad_files_are_named(
    name: str, arrays: dict[str, np.ndarray], error: type[DarktriggerError], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / f"{name}.npz", **arrays)
    with pytest.raises(error, match=rf"{name}\.npz: .*{message}"):
        read_paper_file(path)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04 cut off"])
def test_what_is_not_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "qcd_a.npz"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="cannot be read as npz without pickle"):
        read_paper_file(path)
    with pytest.raises(UnreadableFileError, match="no such file"):
        open_images(tmp_path / "nowhere.npz")


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "qcd_a.npz").open("wb") as stream:
        np.save(stream, images(2, 1))
    with pytest.raises(UnreadableFileError, match="cannot be read as npz without pickle"):
        read_paper_file(tmp_path / "qcd_a.npz")


def test_the_papers_files(shared: Path) -> None:
    folder = shared / "paper-events"
    if not folder.is_dir():
        pytest.skip(f"needs the paper's events in {folder}")
    found = {}
    for path in sorted(folder.rglob("*.npz")):
        events = read_paper_file(path).events
        found[path.name] = (len(events), int(events.label[0]), float(events.mass[0]))
    assert found["qcd_gensim_101_2.npz"] == (500, 0, 0.0)
    assert found["suep_gensim_h1000_phi2_dp0p7_dt2_103_1.npz"] == (46, 1, 1000.0)
    assert found["svj_4100_34155_4.npz"] == (50, 2, 4100.0)
    assert len(found) == 17


def test_one_channel_of_the_papers_files_is_the_sum_of_three(shared: Path) -> None:
    folder = shared / "paper-events"
    if not folder.is_dir():
        pytest.skip(f"needs the paper's events in {folder}")
    three = np.load(folder / "train" / "qcd_gensim_101_2.npz")["images"]
    one = np.load(folder / "supervised" / "train" / "qcd_gensim_110_6.npz")["images"]
    # A tenth of what would separate it from any one channel: 81, 184 and 57 lit pixels, 288 in their sum.
    assert (one > 0).sum((1, 2)).mean() == pytest.approx((three.sum(-1) > 0).sum((1, 2)).mean(), abs=10)
    assert one.sum((1, 2)).mean() == pytest.approx(three.sum((1, 2, 3)).mean(), rel=0.06)


def spring(path: str) -> None:
    Path(path).write_text("sprung")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return spring, (self.path,)


@pytest.mark.parametrize("name", ["images", "labels", "masses", "n_tracks", "other"])
def test_pickles_are_refused_and_never_run(tmp_path: Path, name: str) -> None:
    arrays = {"images": images(1, 3), name: np.array([Trap(tmp_path / "mark")], dtype=object)}
    with pytest.raises(UnreadableFileError, match="without pickle"):
        read_paper_file(write(tmp_path / "qcd_x.npz", **arrays))
    (tmp_path / "qcd_bare.npz").write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    with pytest.raises(UnreadableFileError, match="without pickle"):
        read_paper_file(tmp_path / "qcd_bare.npz")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "shape", ["(4000000000, 72, 58, 3)", "(-1, 72, 58, 3)", "4", "(__import__('os'),)", "(" * 80, "(1, 72, 58, 3)"]
)
def test_headers_that_promise_what_is_not_there(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)
    with zipfile.ZipFile(tmp_path / "qcd_x.npz", "w") as archive:
        archive.writestr("images.npy", content)
    with pytest.raises(UnreadableFileError, match="cannot be read as npz"):
        read_paper_file(tmp_path / "qcd_x.npz")


@pytest.mark.parametrize("name", ["images", "labels", "n_tracks"])
def test_members_that_are_no_arrays(tmp_path: Path, name: str) -> None:
    write(tmp_path / "qcd_x.npz", **{"images": images(1, 3)} if name != "images" else {})
    with zipfile.ZipFile(tmp_path / "qcd_x.npz", "a") as archive:
        archive.writestr(f"{name}.npy", b"no array")
    with pytest.raises(UnreadableFileError, match=f"holds '{name}', which is no array"):
        read_paper_file(tmp_path / "qcd_x.npz")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("qcd_x.npz", {"n_tracks": np.array([np.nan])}, "no number of tracks"),
        ("qcd_x.npz", {"n_tracks": np.array([-1])}, "no number of tracks"),
        ("qcd_x.npz", {"n_tracks": np.array([2**40])}, "no number of tracks"),
        ("qcd_x.npz", {"images": np.full((1, 72, 58, 3), 1e300)}, "negative or not finite, or above"),
        (f"suep_h{'9' * 60}_.npz", {}, "says a mass of 1e.60 GeV"),
        ("x.npz", {"labels": np.array([1]), "masses": np.array([1e50])}, "without a known mass"),
    ],
)
def test_numbers_beyond_all_scales(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / name, **{"images": images(1, 3), **change})
    with pytest.raises(BadValueError, match=message):
        read_paper_file(path)


def test_half_precision_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "qcd_x.npz", images=images(2, 3).astype(np.float16))
    assert len(read_paper_file(path).events) == 2
