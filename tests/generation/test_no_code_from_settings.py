"""Settings are handed on between people: none of them may start a program or load a library."""

import pytest

from darktrigger.config import validate
from darktrigger.errors import ConfigError, GenerationError
from generation.config import DetectorConfig, make_process
from generation.detectors import choose_program, delphes_command
from generation.processes.base import PythiaProcess
from generation.pythia import _initialised


@pytest.mark.parametrize("setting", ["Init:plugins = {libx.so::X}", "  init:Plugins={libx.so::X}", "Init :plugins {x}"])
def test_pythia_loads_no_library(setting: str) -> None:
    process = make_process("qcd", {"extra_settings": [setting]})
    assert isinstance(process, PythiaProcess)
    with pytest.raises(GenerationError, match="would load a library"):
        _initialised(process, (), ())


def test_no_configuration_says_how_to_start_delphes() -> None:
    with pytest.raises(ConfigError, match="unknown key 'delphes_command'"):
        validate(DetectorConfig, {"program": "delphes", "delphes_command": ["touch", "x"]}, "c.yaml")


def test_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKTRIGGER_DELPHES", "apptainer exec 'my image.sif' DelphesHepMC3")
    assert delphes_command() == ("apptainer", "exec", "my image.sif", "DelphesHepMC3")
    assert choose_program(DetectorConfig(program="delphes")) == (
        "delphes",
        "delphes (apptainer exec my image.sif DelphesHepMC3)",
    )
    monkeypatch.setenv("DARKTRIGGER_DELPHES", "apptainer 'exec")
    with pytest.raises(GenerationError, match="DARKTRIGGER_DELPHES: No closing quotation"):
        delphes_command()
    monkeypatch.delenv("DARKTRIGGER_DELPHES")
    assert delphes_command() == ("DelphesHepMC3",)
