from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from darktrigger.cli import app
from darktrigger.errors import DarktriggerError
from imaging.jets.config import JetConfig
from imaging.jets.convert import JetSample, convert_jets
from imaging.jets.dense import JetInput, jet_image
from imaging.jets.display import load_jets
from imaging.jets.jet_file import is_jet_file, read_jet_files


@pytest.fixture(scope="module")
def jet_file(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("jets") / "jets.parquet"
    convert_jets([str(data / "toptagging_zlib.h5")], path, JetSample(), JetConfig())
    return str(path)


def test_mean_and_the_jets_asked_for(jet_file: str) -> None:
    mean_HW, shown = load_jets(jet_file, 2)
    jets = read_jet_files([jet_file])
    np.testing.assert_allclose(mean_HW, jet_image(jets.images, JetInput(sigma=0)).mean(axis=(0, 1)), rtol=1e-5)
    assert shown.entry.tolist() == [2, 3, 4, 5]
    with pytest.raises(DarktriggerError, match="has no entry 6; it holds 6 jets"):
        load_jets(jet_file, 6)


def test_command_draws_a_panel_for_each(jet_file: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["display", jet_file, "-o", str(tmp_path / "jets.png")])
    assert result.exit_code == 0, result.output
    picture = imread(tmp_path / "jets.png")[:, :, :3]
    # The middle of each panel, left of the colour bar.
    height, width = picture.shape[0] / 2, 0.9 * picture.shape[1] / 4
    middles = [
        picture[int((r + 0.2) * height) : int((r + 0.9) * height), int((c + 0.2) * width) : int((c + 0.8) * width)]
        for r in range(2)
        for c in range(4)
    ]
    coloured = [bool((np.ptp(middle, axis=2) > 0.2).any()) for middle in middles]
    # The mean and six jets; the eighth panel is empty.
    assert coloured == [True] * 7 + [False]


def test_other_files_are_no_jet_files(data: Path, tmp_path: Path) -> None:
    assert not is_jet_file(str(data / "qcd.root"))
    assert not is_jet_file(str(tmp_path / "absent.parquet"))
    (tmp_path / "text.parquet").write_text("text")
    assert not is_jet_file(str(tmp_path / "text.parquet"))
