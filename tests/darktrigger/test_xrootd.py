"""Files of an XRootD server that runs here, under ``root://`` addresses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from distributed.utils import open_port

import imaging.patient_source
from darktrigger.errors import UnreadableFileError
from darktrigger.inputs import expand_paths
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample

DATA = Path(__file__).parents[1] / "data"

pytest.importorskip("fsspec_xrootd", reason="needs an XRootD client: pip install -e '.[xrootd]'")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that any user gets into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="darktrigger-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """Address of a folder on a server that has two files, as long as the module lasts."""
    if shutil.which("xrootd") is None:
        pytest.skip("no XRootD server here (Debian: apt-get install xrootd-server)")
    for name in ("qcd", "suep1000"):
        shutil.copy(DATA / f"{name}.root", folder)
    port = open_port("127.0.0.1")
    settings = [f"xrd.port {port}", f"all.export {folder}", f"all.adminpath {folder}", f"all.pidpath {folder}"]
    (folder / "server.cfg").write_text("\n".join([*settings, "xrd.network nodnr"]) + "\n")
    # It refuses to run as root.
    as_user = ["-R", "nobody"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "nobody")
    command = ["xrootd", "-c", str(folder / "server.cfg"), "-l", str(folder / "log"), *as_user]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                said = "".join(path.read_text() for path in folder.glob("**/log"))
                assert time.monotonic() < deadline, f"the server does not start: {said}"
                time.sleep(0.1)
            else:
                break
        yield f"root://localhost:{port}/{folder}"
    finally:
        process.terminate()
        process.wait(20)


def test_images_are_those_of_the_local_file(server: str, tmp_path: Path) -> None:
    convert([f"{server}/qcd.root"], tmp_path / "remote.parquet", Sample(), ImagingConfig())
    convert([str(DATA / "qcd.root")], tmp_path / "local.parquet", Sample(), ImagingConfig())
    assert pq.read_table(tmp_path / "remote.parquet").equals(pq.read_table(tmp_path / "local.parquet"))


def test_addresses_are_globbed(server: str) -> None:
    assert expand_paths([f"{server}/*.root"]) == [f"{server}/{name}.root" for name in ("qcd", "suep1000")]
    with pytest.raises(UnreadableFileError, match="matches no file"):
        expand_paths([f"{server}/*.hepmc"])


def test_a_file_that_is_not_there_is_named(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging.patient_source, "PAUSE", 0.01)
    with pytest.raises(UnreadableFileError, match=r"absent\.root: cannot be read .*no such file"):
        convert([f"{server}/absent.root"], tmp_path / "out.parquet", Sample(), ImagingConfig())
    assert not list(tmp_path.iterdir())
