"""Faults, caused: full disks, read-only folders, servers that stall, models that are swapped."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import analysis.runner
import imaging.patient_source
from analysis.analyze import analyze
from analysis.config import AnalysisConfig
from analysis.fileset import read_fileset
from analysis.scan import work_items
from analysis.trigger import Trigger
from darktrigger.errors import DarktriggerError, ModelFileError, UnreadableFileError
from darktrigger.files import atomic_path
from darktrigger.pretrained import pretrained_models
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.image_file import read_image_file
from imaging.preprocess import look_at
from imaging.sample import Sample


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("this machine does not let file systems be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/env", "umount", str(folder)], check=True)  # noqa: S603


def test_a_full_disk_is_one_error_and_leaves_no_half_file(data: Path, tmp_path: Path) -> None:
    paths = [str(data / "qcd.root")] * 20
    with mounted(tmp_path / "disk", "size=256k") as disk:
        with pytest.raises(DarktriggerError, match=r"cannot be written .*[Nn]o space"):
            convert(paths, disk / "images.parquet", Sample(), ImagingConfig())
        left = [path for path in disk.rglob("*") if path.is_file()]
        assert [path.name for path in left if path.parent.name != "images.parquet.parts"] == []
        assert [path.name for path in left if path.name.startswith(".")] == []
        # With room, the rerun is the undisturbed run.
        subprocess.run(["/usr/bin/env", "mount", "-o", "remount,size=64m", str(disk)], check=True)  # noqa: S603
        convert(paths, disk / "images.parquet", Sample(), ImagingConfig())
        convert(paths, tmp_path / "reference.parquet", Sample(), ImagingConfig())
        assert (disk / "images.parquet").read_bytes() == (tmp_path / "reference.parquet").read_bytes()


def test_a_read_only_folder_is_one_error(data: Path, tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "ro") as disk,
        pytest.raises(DarktriggerError, match=r"cannot be written .*[Rr]ead-only"),
    ):
        convert([str(data / "qcd.root")], disk / "images.parquet", Sample(), ImagingConfig())


def test_temporaries_of_killed_processes_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["/usr/bin/env", "true"]) as process:
        process.wait()
    with atomic_path(tmp_path / "out.json") as temporary:
        mine = temporary.name
        dead = tmp_path / mine.replace(f"-{os.getpid()}.", f"-{process.pid}.")
        elsewhere = tmp_path / mine.replace(".out.", ".out.elsewhere")
        other = tmp_path / dead.name.replace(".out.", ".other.")
        temporary.write_text("{}")
    for path in (dead, elsewhere, other):
        path.touch()
    with atomic_path(tmp_path / "out.json") as temporary:
        temporary.write_text("{}")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "out.json", elsewhere, other])


class Server(ThreadingHTTPServer):
    """Serves one file by ranges, and stalls or fails in some of its answers."""

    daemon_threads = True

    def __init__(self, content: bytes, stalls: int, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.stalls, self.seconds = content, stalls, seconds
        self.n_requests = 0


class Handler(BaseHTTPRequestHandler):
    """Answers HEAD and GET with a range."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        content = self.server.content
        first, last = 0, len(content) - 1
        if "Range" in self.headers:
            start, _, stop = self.headers["Range"].removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(stop or last), last)
        if with_body:
            self.server.n_requests += 1
            if self.server.n_requests > 2 and self.server.stalls > 0:
                self.server.stalls -= 1
                time.sleep(self.server.seconds)
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if with_body:
            self.wfile.write(content[first : last + 1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(content: bytes, stalls: int, seconds: float) -> Iterator[str]:
    server = Server(content, stalls, seconds)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/qcd.root"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging.patient_source, "PAUSE", 0.05)


@pytest.mark.usefixtures("_quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore::ResourceWarning")
def test_a_read_that_stalls_is_tried_again(data: Path, tmp_path: Path) -> None:
    local = data / "qcd.root"
    with served(local.read_bytes(), stalls=2, seconds=30.0) as url:
        convert([url], tmp_path / "remote.parquet", Sample(), ImagingConfig(read_timeout=3.0))
    convert([str(local)], tmp_path / "local.parquet", Sample(), ImagingConfig())
    remote, expected = (read_image_file(tmp_path / f"{name}.parquet") for name in ("remote", "local"))
    assert remote.ht.tolist() == expected.ht.tolist()
    assert (remote.images.trk != expected.images.trk).nnz == 0


@pytest.mark.usefixtures("_quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore::ResourceWarning")
def test_a_server_that_stalls_for_good_is_an_error(data: Path) -> None:
    with (
        served((data / "qcd.root").read_bytes(), stalls=1000, seconds=30.0) as url,
        pytest.raises(UnreadableFileError, match=r"no data for 0\.5 s"),
    ):
        look_at(url, "Delphes", timeout=0.5)


def test_a_model_that_is_swapped_during_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, fileset = tmp_path / "trigger.onnx", tmp_path / "fileset.yaml"
    original = pretrained_models()["excess"].read_bytes()
    model.write_bytes(original)
    fileset.write_text(f"qcd: [{data / 'qcd.root'}]\nsuep: [{data / 'suep1000.root'}]\n")
    datasets = read_fileset(fileset)
    out = tmp_path / "out"
    monkeypatch.setattr("analysis.analyze.draw_all", lambda *_: ())

    def swap(*arguments: Any) -> object:
        model.write_bytes(original + b" ")
        return work_items(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(analysis.runner, "work_items", swap)
        with pytest.raises(ModelFileError, match="changed during the run"):
            analyze(datasets, Trigger(model), AnalysisConfig(), out)
    assert not (out / "summary.json").exists()
    model.write_bytes(original)
    analyze(datasets, Trigger(model), AnalysisConfig(), out)
    analyze(datasets, Trigger(model), AnalysisConfig(), tmp_path / "undisturbed")
    written = [(folder / "histograms.json").read_bytes() for folder in (out, tmp_path / "undisturbed")]
    assert written[0] == written[1]
