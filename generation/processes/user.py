"""A process that a user gives as a Pythia command file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from darktrigger.errors import ConfigError
from generation.processes.base import PythiaProcess


class CommandFile(PythiaProcess):
    """Any process: the settings of a Pythia command file (``.cmnd``), which has the last word on the beams as well."""

    name: ClassVar[str] = "commands"

    commands: tuple[str, ...] = Field((), description="Lines of the command file.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return self.commands

    @classmethod
    def read(cls, path: str | Path) -> CommandFile:
        """Read a command file; comments, blank lines and ``Main:`` settings are left out.

        Raises
        ------
        ConfigError
            The file cannot be read, is empty, or asks for events from a Les Houches file.
        """
        try:
            lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
        commands = tuple(line for line in lines if line and line[0].isalnum() and not line.startswith("Main:"))
        if not commands:
            raise ConfigError(f"{path}: holds no Pythia settings, expected lines such as 'HardQCD:all = on'")
        if any(command.startswith("Beams:LHEF") for command in commands):
            raise ConfigError(f"{path}: Beams:LHEF is not supported; shower the events to HepMC and use 'simulate'")
        return cls(commands=commands)
