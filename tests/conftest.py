"""Fixtures that every test folder shares."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The founders' reference files; the test is skipped where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference files in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def data() -> Path:
    """Real Delphes output, a few dozen events of each process."""
    return DATA
