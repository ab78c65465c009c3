"""The report as a browser shows it: headless Chromium, where there is one."""

import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from darktrigger.files import write_text
from darktrigger.report.collect import collect
from darktrigger.report.render import render

from .conftest import HOSTILE
from .page import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> str:
    """Path of a browser; the test is skipped without one."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip(f"needs a browser, one of {', '.join(BROWSERS)} (Debian: apt-get install chromium)")
    return found


def browse(browser: str, page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page with a fresh profile; what scripts and the page's policy complain about comes on stderr."""
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
    command = [browser, *fixed, f"--user-data-dir={profile}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done


def screenshot(browser: str, page: Path, folder: Path, size: str) -> NDArray[np.float32]:
    """Picture of the page, shape (height, width, 3)."""
    browse(browser, page, folder / "profile", f"--window-size={size}", f"--screenshot={folder / 'page.png'}")
    return np.asarray(matplotlib.image.imread(folder / "page.png"))[..., :3]


def test_browser_understands_the_page(browser: str, hostile: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_text(page, render(collect(hostile, 0)))
    done = browse(browser, page, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" not in done.stderr  # nothing was refused by the page's own policy, no script failed
    seen, written = Page(done.stdout), Page(page.read_text(encoding="utf-8"))
    # The browser repairs what it does not understand: nothing had to be, and no name became markup.
    assert seen.tags == written.tags
    assert any(HOSTILE in row for row in seen.rows)
    assert "<title>Analysis: changed</title>" in done.stdout


def test_browser_shows_pictures(browser: str, analysed: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_text(page, render(collect(analysed, 1)))
    shown = screenshot(browser, page, tmp_path, "1280,2400")
    assert shown.shape == (2400, 1280, 3)
    # The colour scales of the event displays: many more colours than text and lines have.
    assert len(np.unique(np.round(shown.reshape(-1, 3) * 255).astype(int), axis=0)) > 1000


def test_page_fits_a_phone(browser: str, analysed: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_text(page, render(collect(analysed, 0)))
    shown = screenshot(browser, page, tmp_path, "500,1200")
    # Wide tables scroll by themselves: the right margin stays white from top to bottom.
    assert (shown[:, -10:] == 1).all()
