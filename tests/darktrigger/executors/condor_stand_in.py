"""What ``condor_submit`` and ``condor_rm`` do, without a pool: submit files are read by HTCondor's own code.

    python condor_stand_in.py POOL submit DESCRIPTION
    python condor_stand_in.py POOL rm CLUSTER...

Jobs run on this machine, in a scratch folder each; ``POOL/CLUSTER.json`` has a job's ClassAd and ``POOL/CLUSTER.pid``
its process as long as it is in the queue.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import classad
import htcondor


def submit(pool: Path, description: Path) -> None:
    """Start the job of a submit file."""
    cluster = 1 + len(list(pool.glob("*.json")))
    parsed = htcondor.Submit(description.read_text())
    (job,) = parsed.jobs(clusterid=cluster, owner="tester")
    evaluated = {name: job.eval(name) for name in ("Cmd", "Iwd", "RequestCpus", "RequestMemory", "RequestDisk")}
    (pool / f"{cluster}.json").write_text(json.dumps(evaluated | {"JobFlavour": job.get("JobFlavour")}))
    arguments = classad.ExprTree("argsToList(Arguments, 2)").eval(job)
    scratch = pool / f"scratch{cluster}"
    scratch.mkdir()
    with Path(job["Out"]).open("wb") as out, Path(job["Err"]).open("wb") as err:
        command = [job["Cmd"], *arguments]
        process = subprocess.Popen(command, cwd=scratch, stdout=out, stderr=err, start_new_session=True)  # noqa: S603
    (pool / f"{cluster}.pid").write_text(str(process.pid))
    sys.stdout.write(f"Submitting job(s).\n1 job(s) submitted to cluster {cluster}.\n")


def remove(pool: Path, cluster: str) -> None:
    """End a job, all its processes at once."""
    path = pool / f"{int(float(cluster))}.pid"
    with suppress(ProcessLookupError):
        os.killpg(int(path.read_text()), signal.SIGKILL)
    path.unlink()
    sys.stdout.write(f"All jobs in cluster {cluster} have been marked for removal\n")


if __name__ == "__main__":
    where, action, *rest = sys.argv[1:]
    if action == "submit":
        submit(Path(where), Path(rest[0]))
    else:
        for one in rest:
            remove(Path(where), one)
