"""HepMC2 and HepMC3 files, plain and gzipped: ``simulate``."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyhepmc

from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate

_WORDS = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "99999999999999999999", "2147483648", "-2147483649", "x", "", "1e38",
    "-1e300", "0x10", "211", "1000", "GEV", "MEV",
)  # fmt: skip


class HepMCFiles:
    """Byte mutations, and text with other numbers, lines lost, repeated or exchanged."""

    def prepare(self, valid: Path) -> None:
        """Two small events in both formats."""
        for version in ("hepmc2", "hepmc3"):
            with pyhepmc.open(str(valid / f"{version}.hepmc"), "w", format=version) as stream:
                for number in range(2):
                    stream.write(event(number))

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """A simulation; its first use compiles the detector."""
        return [_command(valid / "hepmc3.hepmc", folder)]

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file."""
        content = (valid / f"{rng.choice(['hepmc2', 'hepmc3'])}.hepmc").read_bytes()
        zipped = rng.random() < 0.25
        which = rng.random()
        if zipped and which < 0.5:
            content = mutate(gzip.compress(content, mtime=0), rng)
        else:
            content = words(content, rng) if which < 0.75 else mutate(content, rng)
            content = gzip.compress(content, mtime=0) if zipped else content
        path = folder / ("bad.hepmc.gz" if zipped else "bad.hepmc")
        path.write_bytes(content)
        return _command(path, folder / OUT)


def _command(path: Path, out: Path) -> list[str]:
    options = ["--pileup", "0", "--workers", "1", "--detector", "embedded"]
    return ["simulate", str(path), "-o", str(out / "events.root"), *options]


def event(number: int) -> pyhepmc.GenEvent:
    """Beams, a handful of stable particles of all sorts, and one that decays."""
    made = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    made.event_number = number
    made.weights = [0.5 * (number + 1)]
    primary, decay = pyhepmc.GenVertex(), pyhepmc.GenVertex((1.0, 2.0, 3.0, 4.0))
    for sign in (1, -1):
        primary.add_particle_in(pyhepmc.GenParticle((0, 0, sign * 500.0, 500.0), 2212, 4))
    mother = pyhepmc.GenParticle((30, 40, 0, 50.1), 310, 2)
    primary.add_particle_out(mother)
    for i, pid in enumerate((22, 211, -211, 11, 13, 130, 2212, 2112, 12)):
        momentum = 20.0 * (i + 1), -15.0, 10.0 * i - 40.0
        energy = float(np.sqrt(sum(p * p for p in momentum) + 1.0))
        primary.add_particle_out(pyhepmc.GenParticle((*momentum, energy), pid, 1))
    decay.add_particle_in(mother)
    decay.add_particle_out(pyhepmc.GenParticle((30, 40, 0, 50.01), 211, 1))
    made.add_vertex(primary)
    made.add_vertex(decay)
    return made


def words(content: bytes, rng: np.random.Generator) -> bytes:
    """Changes by line and word, which leave the format whole."""
    lines = [line.split(" ") for line in content.decode().split("\n")]
    for _ in range(int(rng.integers(1, 4))):
        row = int(rng.integers(len(lines)))
        which = int(rng.integers(8))
        if which < 4 and lines[row]:
            lines[row][int(rng.integers(len(lines[row])))] = str(rng.choice(_WORDS))
        elif which == 4:
            lines.insert(int(rng.integers(len(lines))), list(lines[row]))
        elif which == 5 and len(lines) > 1:
            del lines[row]
        elif which == 6:
            lines[row] = lines[row][: int(rng.integers(len(lines[row]) + 1))]
        else:
            other = int(rng.integers(len(lines)))
            lines[row], lines[other] = lines[other], lines[row]
    return "\n".join(" ".join(line) for line in lines).encode()
