import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uproot
from typer.testing import CliRunner, Result

from darktrigger.errors import ConfigError, DarktriggerError, GenerationError, UnreadableFileError
from generation.cli import app
from imaging.config import ImagingConfig, Selection
from imaging.convert import convert
from imaging.sample import Sample

SMALL = """
batch_events: 4
pileup:
  mean: 3
  pool:
    events: 20
    process:
      extra_settings: ["SoftQCD:singleDiffractive = off", "SoftQCD:doubleDiffractive = off"]
"""

HEPMC = """HepMC::Version 3.02.05
HepMC::Asciiv3-START_EVENT_LISTING
E {number} 0 2
U GEV MM
W 1.0
P 1 0 211 30.0 0.0 10.0 31.623 0.13957 1
P 2 0 -211 -30.0 0.0 -10.0 31.623 0.13957 1
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def darktrigger(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command as a user would; errors of ours come through."""
    monkeypatch.setenv("DARKTRIGGER_CACHE", str(cache))
    monkeypatch.setenv("PATH", "")  # no Delphes

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_generate(darktrigger: Callable[..., Result], config: Path, tmp_path: Path) -> None:
    output = tmp_path / "suep.root"
    done = darktrigger(
        "generate", "suep", "--mass", 200, "--events", 6, "--seed", 3, "-o", output, "--config", config, "--workers", 1
    )
    assert done.exit_code == 0
    assert "detector: embedded (DelphesHepMC3 is not on the PATH), card cms" in done.output
    assert re.search(r"6 events of \d+ generated, cross-section \d", done.output)
    with uproot.open(output) as file:
        tree = file["Delphes"]
        assert tree.num_entries == 6
        stored = json.loads(str(file["darktrigger"]))
    imaged = convert(
        [str(output)],
        tmp_path / "suep.parquet",
        Sample(process="suep", label=None, mass=200),
        ImagingConfig(selection=Selection(ht_min=0)),
    )
    assert imaged.events_read == 6
    record = json.loads((tmp_path / "suep.root.json").read_text())
    assert stored == record
    assert record["process"] == "suep"
    assert record["process_settings"]["mass"] == 200
    assert record["pileup"]["mean"] == 3
    assert record["detector"]["program"] == "embedded"
    assert record["detector"]["card"]["name"] == "cms"
    assert record["versions"]["pythia8mc"].startswith("8.317")


def test_generate_without_pileup_needs_no_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKTRIGGER_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "suep.root"
    done = CliRunner().invoke(
        app,
        ["generate", "suep", "-n", "2", "-o", str(output), "--pileup", "0", "--workers", "1"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".tables"]


def test_ht_filter_is_stored_with_what_it_refused(
    darktrigger: Callable[..., Result], config: Path, tmp_path: Path
) -> None:
    output = tmp_path / "suep.root"
    darktrigger(
        "generate", "suep", "-n", 3, "-o", output, "--config", config, "--pileup", 0, "--ht-filter", 80, "--workers", 1
    )
    record = json.loads((tmp_path / "suep.root.json").read_text())
    assert record["process_settings"]["filter"]["ht_min"] == 80
    assert record["normalisation"]["generated"] > 3


def test_command_file(darktrigger: Callable[..., Result], config: Path, tmp_path: Path) -> None:
    commands = tmp_path / "w.cmnd"
    commands.write_text("Beams:eCM = 13000.\nWeakSingleBoson:ffbar2W = on\n")
    done = darktrigger(
        "generate", commands, "-n", 3, "-o", tmp_path / "w.root", "--config", config, "--pileup", 0, "--workers", 1
    )
    assert done.exit_code == 0
    assert uproot.open(tmp_path / "w.root")["Delphes"].num_entries == 3


@pytest.mark.parametrize("zipped", [False, True])
def test_simulate(darktrigger: Callable[..., Result], config: Path, tmp_path: Path, zipped: bool) -> None:
    text = HEPMC.format(number=7) + "".join(HEPMC.format(number=n).split("\n", 2)[2] for n in range(8, 13))
    path = tmp_path / ("events.hepmc.gz" if zipped else "events.hepmc")
    path.write_bytes(gzip.compress((text + "HepMC::Asciiv3-END_EVENT_LISTING\n").encode()) if zipped else text.encode())
    output = tmp_path / "pions.root"
    done = darktrigger("simulate", path, "-o", output, "--config", config, "--workers", 1)
    assert done.exit_code == 0
    with uproot.open(output) as file:
        tree = file["Delphes"]
        assert tree["Event.Number"].array()[:, 0].tolist() == list(range(7, 13))
        assert sum(tree["Track_PUcorr_size"].array()) > 6  # two pions an event, 95% efficiency
    record = json.loads((tmp_path / "pions.root.json").read_text())
    assert record["source"] == str(path)
    assert record["normalisation"]["accepted"] == 6


STAND_IN = """#!{python}
import sys
sys.path[:0] = {path}
import numpy as np
from generation.delphes_file import DelphesWriter
from generation.detector import load_card, simulate
from generation.hepmc import read_hepmc
card, output, events = sys.argv[1:]
assert "RandomSeed" in open(card).read()
with DelphesWriter(output) as writer:
    for batch in read_hepmc(events):
        writer.write(simulate(batch, None, 0.0, load_card("cms"), np.random.default_rng(1)))
"""


def test_delphes_is_taken_where_it_is_installed(
    darktrigger: Callable[..., Result], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "DelphesHepMC3"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable, path=sys.path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    output = tmp_path / "suep.root"
    done = darktrigger("generate", "suep", "-n", 3, "-o", output, "--config", config, "--workers", 1)
    assert f"detector: delphes ({program}), card cms" in done.output.replace("\n", "")
    with uproot.open(output) as file:
        tree = file["Delphes"]
        assert tree["Event.Number"].array()[:, 0].tolist() == [0, 1, 2]
        assert sum(tree["Track_PUcorr_size"].array()) > 30
        assert tree["ecalTower.Edges[4]"].array().ndim == 3
    assert json.loads((tmp_path / "suep.root.json").read_text())["detector"]["program"] == "delphes"


def test_delphes_in_a_container(
    darktrigger: Callable[..., Result], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "container"
    wrapper.write_text("#!/bin/sh\necho no such image >&2; exit 4\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("DARKTRIGGER_DELPHES", f"{wrapper} exec DelphesHepMC3")
    config.write_text(SMALL + "detector: {program: delphes}\n")
    with pytest.raises(DarktriggerError, match=r"exit status 4\nno such image"):
        darktrigger("generate", "suep", "-n", 1, "-o", tmp_path / "x.root", "--config", config, "--workers", 1)
    assert not (tmp_path / "x.root").exists()


def test_usage_errors(darktrigger: Callable[..., Result], tmp_path: Path) -> None:
    output = tmp_path / "x.root"
    unknown = darktrigger("generate", "quark", "-o", output)
    assert unknown.exit_code == 2
    assert "heidelberg" in unknown.output
    massless = darktrigger("generate", "qcd", "--mass", 5, "-o", output)
    assert massless.exit_code == 2
    assert "has no mass" in massless.output
    assert darktrigger("generate", "qcd", "-n", 0, "-o", output).exit_code == 2
    assert darktrigger("generate", "qcd", "-o", output, "--detector", "geant").exit_code == 2


def test_errors(darktrigger: Callable[..., Result], config: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.root"
    with pytest.raises(GenerationError, match="DelphesHepMC3 is not on the PATH"):
        darktrigger("generate", "suep", "-n", 1, "-o", output, "--detector", "delphes")
    with pytest.raises(ConfigError, match="suep, settings"):
        darktrigger("generate", "suep", "-n", 1, "-o", output, "--mass", 10)
    config.write_text("pile_up: 3\n")
    with pytest.raises(ConfigError, match="did you mean 'pileup'"):
        darktrigger("generate", "suep", "-n", 1, "-o", output, "--config", config)
    with pytest.raises(UnreadableFileError, match=r"absent\.hepmc"):
        darktrigger("simulate", tmp_path / "absent.hepmc", "-o", output, "--pileup", 0)
    with pytest.raises(ConfigError, match="no detector card 'lhcb'"):
        darktrigger("generate", "suep", "-n", 1, "-o", output, "--card", "lhcb")


@pytest.mark.parametrize("command", ["generate", "simulate"])
def test_help_has_units_and_defaults(darktrigger: Callable[..., Result], command: str) -> None:
    text = " ".join(darktrigger(command, "--help").output.replace("│", " ").split())
    for word in ("Mean number of pile-up", "default: (50)", "default: (auto)", "default: (cms)"):
        assert word in text
