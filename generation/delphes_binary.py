"""Real Delphes: our card as Tcl, the run, and a check of what it gave."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyhepmc
import uproot

from darktrigger.errors import DarktriggerError
from darktrigger.files import atomic_path, write_text
from generation import tcl_card
from generation.detector.card import DetectorCard
from generation.events import GenEvents, offsets_of

EXECUTABLE = "DelphesHepMC3"
_LOG_LINES = 15


def find_delphes() -> Path | None:
    """The Delphes executable on the PATH, if any."""
    found = shutil.which(EXECUTABLE)
    return Path(found) if found else None


def run_delphes(
    hepmc: str | Path,
    output: str | Path,
    card: DetectorCard,
    *,
    seed: int,
    pileup_file: str | Path,
    mean_pileup: float = 0.0,
    command: tuple[str, ...] = (EXECUTABLE,),
) -> int:
    """Run real Delphes on a HepMC3 file with our card.

    Parameters
    ----------
    hepmc
        Events, plain text: Delphes reads no gzip.
    output
        ROOT file to write, atomically; the card goes beside it with the suffix ``.tcl``.
    card
        The detector.
    seed
        Seed of Delphes' generator, positive: 0 would mean the time.
    pileup_file
        From :func:`write_pileup_file`; Delphes opens one even for a mean of 0.
    mean_pileup
        Mean number of pile-up interactions.
    command
        The executable; arguments in front of it run it in a container.

    Returns
    -------
    int
        Number of events written.

    Raises
    ------
    DarktriggerError
        Delphes cannot be started, fails, or leaves no sound file with our branches.
    """
    if seed <= 0:
        raise DarktriggerError(f"{EXECUTABLE}: seed {seed} is not positive, and Delphes would take the time instead")
    card_file = Path(output).with_suffix(".tcl")
    write_text(card_file, tcl_card.write_tcl(card, mean_pileup, pileup_file, seed))
    with atomic_path(output) as temporary:
        # Delphes refuses to overwrite.
        temporary.unlink(missing_ok=True)
        arguments = [*command, str(card_file), str(temporary), str(hepmc)]
        try:
            result = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
        except OSError as error:
            raise DarktriggerError(f"{command[0]}: cannot be started ({error.strerror})") from None
        if result.returncode != 0:
            raise DarktriggerError(f"{' '.join(arguments)}: exit status {result.returncode}\n{_tail(result)}")
        return _check(temporary, result)


def _tail(result: subprocess.CompletedProcess[str]) -> str:
    lines = (result.stdout + result.stderr).replace("\r", "\n").splitlines()
    return "\n".join(line for line in lines[-_LOG_LINES:] if line.strip())


def _check(path: Path, result: subprocess.CompletedProcess[str]) -> int:
    """Delphes exits with 0 on some failures, and ROOT leaves files without a tree."""
    if not path.is_file():
        raise DarktriggerError(f"{EXECUTABLE}: exited with 0 but wrote no file\n{_tail(result)}")
    try:
        with uproot.open(path) as file:
            tree: Any = file.get("Delphes")
            n_events = 0 if tree is None else int(tree.num_entries)
            missing = [name for name in tcl_card.BRANCHES if tree is not None and name not in tree]
    except Exception as error:  # a damaged file raises almost anything
        raise DarktriggerError(f"{EXECUTABLE}: exited with 0 but its file is damaged ({error})") from error
    if n_events == 0:
        raise DarktriggerError(f"{EXECUTABLE}: exited with 0 but wrote no events\n{_tail(result)}")
    if missing:
        raise DarktriggerError(f"{EXECUTABLE}: its file lacks the branches {', '.join(missing)}")
    return n_events


def write_pileup_file(pool: GenEvents | None, path: str | Path) -> None:
    """Write minimum-bias events in the binary format that Delphes draws pile-up from.

    Big-endian records: for each event the number of particles, and of each its PDG number,
    position (mm) and momentum (GeV); then each event's offset, and the number of events.
    Without a pool, one empty event: Delphes insists on a file.
    """
    counts = np.zeros(1, dtype=np.int64) if pool is None else np.diff(pool.offsets)
    starts = offsets_of(4 + 36 * counts)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        for i, count in enumerate(counts):
            stream.write(np.array(count, dtype=">i4").tobytes())
            if pool is not None:
                stream.write(_pileup_records(pool, int(pool.offsets[i]), int(pool.offsets[i + 1])))
        stream.write(starts[:-1].astype(">i8").tobytes())
        stream.write(np.array(len(counts), dtype=">i8").tobytes())


def _pileup_records(pool: GenEvents, begin: int, end: int) -> bytes:
    floats = ("x", "y", "z", "t", "px", "py", "pz", "e")
    records = np.empty(end - begin, dtype=[("pid", ">i4"), *((name, ">f4") for name in floats)])
    for name in ("pid", *floats):
        records[name] = getattr(pool, name)[begin:end]
    return records.tobytes()


def write_hepmc(events: GenEvents, path: str | Path) -> None:
    """Write stable particles as HepMC3 text, with one vertex for each production point."""
    with atomic_path(path) as temporary, pyhepmc.open(str(temporary), "w", format="hepmc3") as stream:
        for i in range(len(events)):
            stream.write(_to_hepmc(events, i))


def _to_hepmc(events: GenEvents, i: int) -> Any:
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    event.event_number = int(events.number[i])
    event.weights = [float(events.weight[i])]
    begin, end = int(events.offsets[i]), int(events.offsets[i + 1])
    beam = float(max(1.0, math.fsum(events.e[begin:end].tolist()) / 2))
    primary = pyhepmc.GenVertex()
    for sign in (1, -1):
        primary.add_particle_in(pyhepmc.GenParticle((0.0, 0.0, sign * beam, beam), 2212, 4))
    event.add_vertex(primary)
    places = np.column_stack([getattr(events, name)[begin:end] for name in "xyzt"])
    unique, which = np.unique(places, axis=0, return_inverse=True)
    vertices = [_vertex(event, primary, tuple(place)) for place in unique.astype(float).tolist()]
    for j, k in zip(range(begin, end), which.reshape(-1).tolist(), strict=True):
        momentum = tuple(float(getattr(events, name)[j]) for name in ("px", "py", "pz", "e"))
        particle = pyhepmc.GenParticle(momentum, int(events.pid[j]), 1)
        particle.generated_mass = float(events.mass[j])
        vertices[k].add_particle_out(particle)
    return event


def _vertex(event: Any, primary: Any, place: tuple[float, ...]) -> Any:
    """A vertex at a place: the primary one, or one that a particle without momentum connects to it."""
    if not any(place):
        return primary
    link = pyhepmc.GenParticle((0.0, 0.0, 0.0, 0.0), 0, 2)
    primary.add_particle_out(link)
    vertex = pyhepmc.GenVertex(place)
    vertex.add_particle_in(link)
    event.add_vertex(vertex)
    return vertex
