"""Running real Delphes, with a stand-in for it."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darktrigger.errors import DarktriggerError
from generation import tcl_card
from generation.delphes_binary import find_delphes, run_delphes, write_hepmc, write_pileup_file
from generation.delphes_file import DelphesWriter
from generation.detector import DetectorCard, load_card, simulate
from generation.events import GenEvents
from generation.hepmc import read_hepmc


@pytest.fixture(scope="module")
def sound_file(
    make_events: Callable[..., GenEvents], cms: DetectorCard, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("sound") / "sound.root"
    with DelphesWriter(path) as writer:
        writer.write(simulate(make_events([(22, 50.0, 0.0, 0.0)]), None, 0.0, cms, np.random.default_rng(1)))
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a DelphesHepMC3 on the PATH that runs Python statements on ``card, output, events``."""

    def install(code: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "DelphesHepMC3"
        script.write_text(f"#!{sys.executable}\nimport shutil, sys\ncard, output, events = sys.argv[1:]\n{code}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return install


def run(tmp_path: Path, card: DetectorCard, **changes: Any) -> int:
    settings: dict[str, Any] = {"seed": 3, "pileup_file": "pool.pileup", "mean_pileup": 50.0} | changes
    return run_delphes(tmp_path / "events.hepmc", tmp_path / "out.root", card, **settings)


def test_writes_the_card_and_the_file(
    tmp_path: Path, cms: DetectorCard, fake: Callable[[str], None], sound_file: Path
) -> None:
    fake(f"assert 'RandomSeed 3' in open(card).read(); shutil.copy({str(sound_file)!r}, output)")
    assert find_delphes() == tmp_path / "bin" / "DelphesHepMC3"
    assert run(tmp_path, cms) == 1
    assert (tmp_path / "out.root").is_file()
    assert (tmp_path / "out.tcl").is_file()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('no such pile-up'); sys.exit(3)", "exit status 3\nno such pile-up"),
        ("pass", "wrote no file"),
        ("open(output, 'w').write('nonsense')", "damaged"),
    ],
)
def test_failures_are_reported_and_leave_no_file(
    tmp_path: Path, cms: DetectorCard, fake: Callable[[str], None], code: str, message: str
) -> None:
    fake(code)
    with pytest.raises(DarktriggerError, match=message):
        run(tmp_path, cms)
    assert not (tmp_path / "out.root").exists()


def test_incomplete_output_is_refused(
    tmp_path: Path, cms: DetectorCard, fake: Callable[[str], None], data: Path
) -> None:
    """A stock card's file, without our vertices, is not what we asked for."""
    fake(f"shutil.copy({str(data / 'qcd.root')!r}, output)")
    with pytest.raises(DarktriggerError, match=r"lacks the branches .*Vertex"):
        run(tmp_path, cms)


def test_absent_executable_and_bad_seed(tmp_path: Path, cms: DetectorCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_delphes() is None
    with pytest.raises(DarktriggerError, match="cannot be started"):
        run(tmp_path, cms)
    with pytest.raises(DarktriggerError, match="seed 0"):
        run(tmp_path, cms, seed=0)


@pytest.mark.parametrize("name", ["cms", "atlas"])
def test_tcl_is_complete(name: str) -> None:
    text = tcl_card.write_tcl(load_card(name), 50.0, "pool.pileup", 1)
    modules = {line.split()[2] for line in text.splitlines() if line.startswith("module")}
    path = text[text.index("ExecutionPath {") :].split("}")[0].split()[2:]
    assert set(path) == modules
    assert text.count("{") == text.count("}")
    made = {"Delphes"} | modules
    for line in text.splitlines():
        if "InputArray" in line:
            source = next(word for word in line.split() if "/" in word)
            assert source.split("/")[0] in made
            assert (
                path.index(line_owner(text, line)) > path.index(source.split("/")[0])
                if source[:8] != "Delphes/"
                else True
            )
    assert "add EnergyFraction {4900211} {0}" in text


def line_owner(text: str, line: str) -> str:
    return text[: text.index(line)].rsplit("\nmodule ", maxsplit=1)[-1].split()[1]


def test_numbers_of_the_cms_card(cms: DetectorCard) -> None:
    text = tcl_card.write_tcl(cms, 50.0, "pool.pileup", 1)
    assert "set VertexDistributionFormula {exp(-(t^2/1.6e-10^2/2))*exp(-(z^2/0.053^2/2))}" in text
    assert "(pt > 1000) * 0.99 * exp(0.5 + pt*(-0.0005))" in text
    assert "(2.16 + 5.6*(abs(eta)-2)^2)*sqrt(energy^2*0.008^2 + energy*0.11^2 + 0.4^2)" in text
    ecal = next(line for line in text.splitlines() if "EtaPhiBins" in line)
    eta, phi = (part.split() for part in ecal.replace("}", "").split("{")[1:])
    assert (len(eta), len(phi)) == (341, 361)
    assert (float(eta[0]), float(phi[-1])) == pytest.approx((-2.9665, np.pi))


def test_hepmc_round_trip(tmp_path: Path, make_events: Callable[..., GenEvents]) -> None:
    events = make_events([(22, 5.0, 0.3, 1.0), (211, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0)], [(13, 9.0, -1.0, 2.0)])
    write_hepmc(events, tmp_path / "a.hepmc")
    (read,) = read_hepmc(tmp_path / "a.hepmc")
    assert read.number.tolist() == [0, 1]
    for i in range(2):
        a, b = events[i : i + 1], read[i : i + 1]
        order, found = np.argsort(a.pid), np.argsort(b.pid)
        for name in ("pid", "px", "py", "pz", "e", "mass", "x", "y", "z"):
            np.testing.assert_allclose(getattr(a, name)[order], getattr(b, name)[found], rtol=1e-6, atol=1e-6)


def test_pileup_file(tmp_path: Path, make_events: Callable[..., GenEvents]) -> None:
    """Counts and records, offsets of the events, number of events; all big-endian."""
    pool = make_events([(22, 5.0, 0.3, 1.0), (211, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0)], [(13, 9.0, -1.0, 2.0)])
    write_pileup_file(pool, tmp_path / "pool.pileup")
    content = (tmp_path / "pool.pileup").read_bytes()
    n = int(np.frombuffer(content[-8:], ">i8")[0])
    offsets = np.frombuffer(content[-8 - 8 * n : -8], ">i8")
    assert (n, offsets.tolist()) == (2, [0, 4 + 2 * 36])
    assert int(np.frombuffer(content[:4], ">i4")[0]) == 2
    assert int(np.frombuffer(content[40:44], ">i4")[0]) == 211
    np.testing.assert_allclose(np.frombuffer(content[44:56], ">f4"), [1.0, 2.0, 3.0])
    assert int(np.frombuffer(content[offsets[1] + 4 : offsets[1] + 8], ">i4")[0]) == 13
    write_pileup_file(None, tmp_path / "empty.pileup")
    assert (tmp_path / "empty.pileup").read_bytes() == bytes(4 + 8) + np.array(1, ">i8").tobytes()
    assert Path(tmp_path / "empty.pileup").stat().st_size == 20
    assert shutil.which("DelphesHepMC3") is None or find_delphes() is not None
