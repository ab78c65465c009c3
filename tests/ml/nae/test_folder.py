from pathlib import Path

from ml.callbacks import Epoch
from ml.nae.config import Best, CollapseConfig
from ml.nae.folder import ChainEpoch, ChainFolder, collapse

CONFIG = CollapseConfig(energy_ratio=5, loss_of_data=3, spread=0.1, patience=2)


def row(negative: float = 1.0, spread: float = 1.0, positive: float = 1.0) -> ChainEpoch:
    return ChainEpoch(positive, negative, 0.9, 0.9, spread)


def reason(*epochs: ChainEpoch) -> str:
    found = collapse(epochs, CONFIG, 1.0)
    assert found is not None
    return found


def test_collapse_needs_a_few_epochs_in_a_row() -> None:
    assert collapse([row(), row()], CONFIG, 1.0) is None
    assert collapse([row(6.0)], CONFIG, 1.0) is None
    assert collapse([row(6.0), row(), row(6.0)], CONFIG, 1.0) is None
    assert "energy is 7 times" in reason(row(), row(6.0), row(7.0))
    assert "data's energy is 4 times what it was before" in reason(row(positive=3.1), row(positive=4.0))
    assert collapse([row(positive=3.1), row(positive=4.0)], CONFIG, 2.0) is None
    assert "spread is 0.01" in reason(row(6.0), row(spread=0.01))


def folder_with(
    tmp_path: Path, chains: list[ChainEpoch], differences: list[float], best: Best = "balanced"
) -> ChainFolder:
    folder = ChainFolder(tmp_path, 2, CONFIG, 1.0, best)
    folder.chains = chains
    folder.history = [Epoch(i, 0.0, difference) for i, difference in enumerate(differences)]
    return folder


def test_best_epoch_has_the_smallest_difference_and_is_sound(tmp_path: Path) -> None:
    assert folder_with(tmp_path, [row()], [0.5]).is_best()
    assert folder_with(tmp_path, [row(), row()], [0.5, 0.3]).is_best()
    assert not folder_with(tmp_path, [row(), row()], [0.3, 0.5]).is_best()
    # An epoch that shows a collapse is never kept, and does not stand in the way of a later one.
    assert not folder_with(tmp_path, [row(), row(spread=0.0)], [0.5, 0.1]).is_best()
    assert folder_with(tmp_path, [row(), row(spread=0.0), row()], [0.5, 0.1, 0.4]).is_best()


def test_last_epoch_is_kept_where_that_is_asked_for_unless_it_shows_a_collapse(tmp_path: Path) -> None:
    assert folder_with(tmp_path, [row(), row()], [0.3, 0.5], "last").is_best()
    assert not folder_with(tmp_path, [row(), row(spread=0.0)], [0.3, 0.1], "last").is_best()
    assert folder_with(tmp_path, [row(spread=0.0)], [0.3], "last").is_best()


def test_patience_has_no_say_where_the_last_epoch_is_kept(tmp_path: Path) -> None:
    differences = [0.1, 0.5, 0.5]
    assert folder_with(tmp_path, [row()] * 3, differences).finished
    assert not folder_with(tmp_path, [row()] * 3, differences, "last").finished
    assert folder_with(tmp_path, [row(spread=0.0)] * 3, differences, "last").finished


def test_state_survives(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [row(2.0), row()], [0.5, 0.3])
    other = ChainFolder(tmp_path, 50, CONFIG, 1.0)
    other.load_state_dict(folder.state_dict())
    assert (other.chains, other.history) == (folder.chains, folder.history)
    other.write_metrics()
    assert (tmp_path / "chains.csv").read_text().splitlines()[1] == "0,1.0,2.0,0.9,0.9,1.0,-1.0"
