import re

import pytest
from typer.testing import CliRunner

import darktrigger.cli
from darktrigger import __version__
from darktrigger.cli import app, main

COMMANDS = re.findall(r"^│ (\w+) ", CliRunner().invoke(app, ["--help"]).output.split("Commands")[1], re.MULTILINE)


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_usage_error_exits_with_2() -> None:
    assert CliRunner().invoke(app, ["image"]).exit_code == 2
    assert CliRunner().invoke(app, ["no-such-command"]).exit_code == 2


def test_a_bug_of_ours_shows_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(darktrigger.cli, "app", broken)
    with pytest.raises(SystemExit, match="1"):
        main()
    message = capsys.readouterr().err
    assert message == "error: internal error, please report it: ZeroDivisionError: oops\n"
