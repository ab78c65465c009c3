from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from darktrigger.cli import app
from darktrigger.errors import DarktriggerError
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.display import draw_event, load_event
from imaging.sample import Sample


def test_picture_shows_six_panels_with_deposits(data: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["display", str(data / "suep1000.root"), "-o", str(tmp_path / "e.png"), "--entry", "3"]
    )
    assert result.exit_code == 0, result.output
    picture = imread(tmp_path / "e.png")[:, :, :3]
    height, width = picture.shape[:2]
    for row in range(2):
        for column in range(3):
            panel = picture[
                row * height // 2 : (row + 1) * height // 2, column * width // 3 : (column + 1) * width // 3
            ]
            coloured = np.ptp(panel, axis=2) > 0.2
            assert coloured.mean() > 0.01


def test_root_and_image_file_give_the_same_event(data: Path, tmp_path: Path) -> None:
    path, images = str(data / "qcd.root"), tmp_path / "i.parquet"
    convert([path], images, Sample(), ImagingConfig())
    from_images = load_event(str(images), 43, ImagingConfig())
    from_root = load_event(path, int(from_images.entry[0]), ImagingConfig())
    assert (from_root.images.trk != from_images.images.trk).nnz == 0
    assert from_root.ht == from_images.ht
    with pytest.raises(DarktriggerError, match="no entry 44; the last one is 43"):
        load_event(str(images), 44, ImagingConfig())


def test_event_without_deposits_can_be_drawn(data: Path, tmp_path: Path) -> None:
    event = load_event(str(data / "qcd.root"), 0, ImagingConfig())
    for matrix in (event.images.trk, event.images.ecal, event.images.hcal):
        matrix.data[:] = 0
        matrix.eliminate_zeros()
    draw_event(event, "empty", tmp_path / "e.pdf")
    assert (tmp_path / "e.pdf").read_bytes().startswith(b"%PDF")
