"""HepMC reader."""

import gzip
from pathlib import Path

import numpy as np
import pyhepmc
import pytest

from darktrigger.errors import EmptyInputError, InputFileError, UnreadableFileError
from generation.events import concatenate_events
from generation.hepmc import read_hepmc


def make_event(number: int) -> pyhepmc.GenEvent:
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    event.event_number = number
    event.weights = [0.5 * (number + 1)]
    beam = pyhepmc.GenParticle((0, 0, 50, 50), 2212, 4)
    mother = pyhepmc.GenParticle((3, 4, 0, 5.1), 310, 2)
    photon = pyhepmc.GenParticle((0, 1, 2, 3), 22, 1)
    pion = pyhepmc.GenParticle((3, 4, 0, 5.002), 211, 1)
    pion.generated_mass = 0.13957
    primary, decay = pyhepmc.GenVertex(), pyhepmc.GenVertex((1.0, 2.0, 3.0, 4.0))
    primary.add_particle_in(beam)
    primary.add_particle_out(mother)
    primary.add_particle_out(photon)
    decay.add_particle_in(mother)
    decay.add_particle_out(pion)
    event.add_vertex(primary)
    event.add_vertex(decay)
    return event


@pytest.mark.parametrize("version", ["hepmc2", "hepmc3"])
@pytest.mark.parametrize("zipped", [False, True])
def test_reads_stable_particles(tmp_path: Path, version: str, zipped: bool) -> None:
    path = tmp_path / "events.hepmc"
    with pyhepmc.open(str(path), "w", format=version) as stream:
        for number in range(5):
            stream.write(make_event(number))
    if zipped:
        path, plain = tmp_path / "events.hepmc.gz", path
        path.write_bytes(gzip.compress(plain.read_bytes()))
    batches = list(read_hepmc(path, batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    events = concatenate_events(batches)
    assert events.number.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(events.weight, [0.5, 1.0, 1.5, 2.0, 2.5])
    first = events[:1]
    order = np.argsort(first.pid)
    assert first.pid[order].tolist() == [22, 211]
    np.testing.assert_allclose(first.px[order], [0, 3])
    np.testing.assert_allclose([getattr(first, name)[order][1] for name in "xyzt"], [1, 2, 3, 4])
    np.testing.assert_allclose([getattr(first, name)[order][0] for name in "xyzt"], 0)
    assert first.mass[order][1] == pytest.approx(0.13957)


def test_units_are_converted(tmp_path: Path) -> None:
    event = make_event(0)
    event.set_units(pyhepmc.Units.MEV, pyhepmc.Units.CM)
    with pyhepmc.open(str(tmp_path / "a.hepmc"), "w") as stream:
        stream.write(event)
    (read,) = read_hepmc(tmp_path / "a.hepmc")
    assert sorted(read.e.tolist()) == pytest.approx([3.0, 5.002], rel=1e-5)
    assert read.z.max() == pytest.approx(3.0)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        list(read_hepmc(tmp_path / "absent.hepmc"))
    (tmp_path / "text.hepmc").write_text("not a HepMC file\n")
    with pytest.raises((UnreadableFileError, EmptyInputError)):
        list(read_hepmc(tmp_path / "text.hepmc"))


@pytest.mark.parametrize("zipped", [False, True])
def test_damage_is_not_passed_over(tmp_path: Path, zipped: bool) -> None:
    """pyhepmc ends quietly where it cannot parse an event."""
    path = tmp_path / "events.hepmc"
    with pyhepmc.open(str(path), "w") as stream:
        for number in range(40):
            stream.write(make_event(number))
    content = gzip.compress(path.read_bytes()) if zipped else path.read_bytes()
    path = tmp_path / ("cut.hepmc.gz" if zipped else "cut.hepmc")
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFileError, match=r"truncated or damaged|not a sound"):
        list(read_hepmc(path))


@pytest.mark.parametrize(
    ("column", "value", "cause"),
    [
        (4, "nan", "px of a particle"),
        (4, "inf", "px of a particle"),
        (4, "1e300", "px of a particle"),
        (3, "-2147483648", "-2147483648 is no PDG number"),
    ],
)
def test_numbers_that_no_generator_writes(tmp_path: Path, column: int, value: str, cause: str) -> None:
    path = tmp_path / "events.hepmc"
    with pyhepmc.open(str(path), "w", format="hepmc3") as stream:
        stream.write(make_event(0))
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("P") and line.endswith(" 1"))
    words = lines[row].split()
    words[column] = value
    lines[row] = " ".join(words)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputFileError, match=rf"events\.hepmc: (event 1: {cause}|is not a sound|is truncated)"):
        list(read_hepmc(path))


@pytest.mark.parametrize("after", ["HepMC::IO", "E ", "N ", "U "])
def test_a_particle_that_belongs_to_no_vertex(tmp_path: Path, after: str) -> None:
    """pyhepmc follows a pointer to nowhere there: it ends the interpreter or, as memory happens to be, raises."""
    path = tmp_path / "events.hepmc"
    with pyhepmc.open(str(path), "w", format="hepmc2") as stream:
        for number in range(3):
            stream.write(make_event(number))
    lines = path.read_text().splitlines()
    particle = next(line for line in lines if line.startswith("P "))
    place = max(i for i, line in enumerate(lines) if line.startswith(after) and "END" not in line)
    path.write_text("\n".join([*lines[: place + 1], particle, *lines[place + 1 :]]) + "\n")
    with pytest.raises(UnreadableFileError, match=r"events\.hepmc: is (damaged|not a sound HepMC file)"):
        list(read_hepmc(path))


@pytest.mark.parametrize("weight", [1e300, -1e300])
def test_weights_that_no_file_of_ours_can_hold(tmp_path: Path, weight: float) -> None:
    path = tmp_path / "events.hepmc"
    event = make_event(0)
    event.weights = [weight]
    with pyhepmc.open(str(path), "w", format="hepmc3") as stream:
        stream.write(event)
    with pytest.raises(InputFileError, match=r"events\.hepmc: (event 1: weight|is not a sound|is truncated)"):
        list(read_hepmc(path))
