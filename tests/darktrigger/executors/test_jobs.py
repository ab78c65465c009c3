"""Jobs of a batch system as workers: processes of this machine in place of HTCondor's, and a Slurm that runs here."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed.utils import open_port

from darktrigger.errors import ExecutorError
from darktrigger.executors import ExecutorConfig, SiteConfig, jobs, open_executor

pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue: pip install -e '.[grid]'")

SITES = sorted((Path(__file__).parents[3] / "configs" / "sites").glob("*.yaml"))


def square(number: int) -> int:
    return number**2


def working_folder(_: int) -> str:
    return str(Path.cwd())


def end_job_once(marker: Path, number: int) -> int:
    """Ends the whole job the first time that it meets 3, as a batch system does whose patience is over."""
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def site(folder: Path, system: str, **options: Any) -> ExecutorConfig:
    """One job of a site, on this machine alone."""
    path = folder / "site.yaml"
    where = {"local_directory": str(folder), "log_directory": str(folder / "logs")}
    own = {"python": sys.executable, "interface": "lo", **where, **options}
    path.write_text(yaml.safe_dump({"system": system, "jobs": 1, "memory": "1GB", "options": own}))
    return ExecutorConfig(kind="dask", site=str(path))


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_shipped_sites_are_what_dask_jobqueue_takes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # dask-jobqueue makes the folder of the logs at once.
    monkeypatch.chdir(tmp_path)
    loaded = SiteConfig.from_yaml(path)
    script = jobs.job_script(loaded, str(path))
    assert all(line in script for line in loaded.prologue)
    assert "dask" in script


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # dask-jobqueue drops its processes
def test_a_job_that_ends_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOST", 3.0)
    with open_executor(site(tmp_path, "local")) as executor:
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
        assert list(executor.map(partial(end_job_once, tmp_path / "ended"), range(8))) == list(range(8))
    assert (tmp_path / "ended").exists()


def test_a_batch_system_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("darktrigger.executors.dask.LOOK", 0.2)
    config = site(tmp_path, "slurm")
    with open_executor(config) as executor, pytest.raises(ExecutorError, match=r"no job could be submitted .*sbatch"):
        list(executor.map(square, range(3)))


@pytest.fixture
def condor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the jobs of what stands in for HTCondor."""
    # Its own reader of submit files; the programs are in no package.
    pytest.importorskip("htcondor", reason="needs HTCondor's Python bindings before version 25")
    monkeypatch.setenv("CONDOR_CONFIG", "ONLY_ENV")
    pool, programs = tmp_path / "pool", tmp_path / "bin"
    pool.mkdir()
    programs.mkdir()
    for action in ("submit", "rm"):
        program = programs / f"condor_{action}"
        stand_in = Path(__file__).with_name("condor_stand_in.py")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "{pool}" {action} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return pool


@pytest.mark.slow
def test_the_site_of_lxplus_with_what_stands_in_for_htcondor(
    condor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOST", 3.0)
    shipped = SiteConfig.from_yaml(next(path for path in SITES if path.stem == "lxplus")).model_dump(mode="json")
    own = {"python": sys.executable, "interface": "lo", "log_directory": str(tmp_path)}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(shipped | {"jobs": 1, "options": shipped["options"] | own}))
    with open_executor(ExecutorConfig(kind="dask", site=str(path))) as executor:
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
        # Relative paths hold, though jobs start in folders of their own.
        assert set(executor.map(working_folder, range(3))) == {str(Path.cwd())}
        said("condor_rm", "1")
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
    jobs_seen = [json.loads(path.read_text()) for path in sorted(condor.glob("*.json"))]
    assert [job["JobFlavour"] for job in jobs_seen] == ["longlunch", "longlunch"]
    assert {job["RequestCpus"] for job in jobs_seen} == {1}
    # In MiB and KiB.
    assert {(job["RequestMemory"], job["RequestDisk"]) for job in jobs_seen} == {(1907, 1953125)}
    assert not list(condor.glob("*.pid")), "jobs are left in the queue"


def said(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def idle() -> bool:
    """Whether Slurm is up and its node free."""
    try:
        return "idle" in said("sinfo", "-h")
    except subprocess.CalledProcessError:
        return False


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Slurm of one node, with its own authentication, as long as the test lasts."""
    programs = ("slurmctld", "slurmd", "munged", "sbatch", "scancel", "squeue")
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(
            f"no Slurm here: {', '.join(missing)} (Debian: apt-get install slurmctld slurmd slurm-client munge)"
        )
    if os.geteuid():
        pytest.skip("slurmd has to be started by root")
    folder, host = tmp_path_factory.mktemp("slurm"), socket.gethostname().partition(".")[0]
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    settings = {
        "ClusterName": "test", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root",
        "AuthType": "auth/munge", "AuthInfo": f"socket={folder}/munge.socket",
        "SlurmctldPort": open_port("127.0.0.1"), "SlurmdPort": open_port("127.0.0.1"),
        "StateSaveLocation": folder / "state", "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid", "SlurmdPidFile": folder / "slurmd.pid",
        "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core", "MpiDefault": "none",
    }  # fmt: skip
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines.append(f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=2000")
    lines.append(f"PartitionName=short Nodes={host} Default=YES MaxTime=INFINITE State=UP")
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n")
    (folder / "state").mkdir()
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    munge = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"]
    munge += [f"--{kind}-file={folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
    daemons = [munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]]
    running = []
    try:
        for daemon in daemons:
            with (folder / f"{daemon[0]}.log").open("wb") as log:
                running.append(subprocess.Popen(daemon, stdout=log, stderr=log))  # noqa: S603
            time.sleep(1.0)
        deadline = time.monotonic() + 30
        while not idle():
            assert time.monotonic() < deadline, "".join(path.read_text() for path in folder.glob("*.log"))
            time.sleep(0.5)
        yield
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slurm_does_the_work_and_replaces_a_job_that_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOST", 3.0)
    with open_executor(site(tmp_path, "slurm", queue="short", walltime="00:10:00", job_mem="0")) as executor:
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
        said("scancel", "--user", "root")
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
    deadline = time.monotonic() + 30
    while said("squeue", "-h").strip():
        assert time.monotonic() < deadline, "jobs are left in the queue"
        time.sleep(0.5)
