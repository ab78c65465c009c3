"""Images of constructed events, whose pixels are known."""

import awkward as ak
import numpy as np
import pytest

from darktrigger.errors import BadValueError, DarktriggerError
from imaging.branches import BranchMap, DepositBranches
from imaging.config import Selection
from imaging.events import build_images
from imaging.sample import Sample

TOWERS = BranchMap(
    trk=DepositBranches(e_t="T.PT", eta="T.Eta", phi="T.Phi", pileup="T.IsPU"),
    ecal=DepositBranches(e_t="C.ET", eta="C.Eta", phi="C.Phi", numerator="C.Eem", denominator="C.E"),
    hcal=DepositBranches(e_t="C.ET", eta="C.Eta", phi="C.Phi", numerator="C.Ehad", denominator="C.E"),
    ht="H.HT",
    weight="W.Weight",
)


def three_events() -> dict[str, ak.Array]:
    """Two events above 500 GeV around one at exactly 500."""
    return {
        "H.HT": ak.Array([[600.0], [500.0], [501.0]]),
        "W.Weight": ak.Array([[0.5], [2.0], [-1.0]]),
        # Two tracks in one pixel, one of pile-up, one outside; none in the second event.
        "T.PT": ak.Array([[1.0, 2.0, 4.0, 8.0], [], [16.0]]),
        "T.Eta": ak.Array([[0.001, 0.002, 0.001, 2.4999], [], [-2.4953]]),
        "T.Phi": ak.Array([[0.001, 0.002, 0.001, 0.0], [], [-3.1415]]),
        "T.IsPU": ak.Array([[0, 0, 1, 0], [], [0]]),
        # One tower shared 1 : 3 between the calorimeters, one empty.
        "C.ET": ak.Array([[8.0, 0.0], [1.0], []]),
        "C.E": ak.Array([[16.0, 0.0], [1.0], []]),
        "C.Eem": ak.Array([[4.0, 0.0], [1.0], []]),
        "C.Ehad": ak.Array([[12.0, 0.0], [0.0], []]),
        "C.Eta": ak.Array([[1.0, 1.1], [0.0], []]),
        "C.Phi": ak.Array([[1.0, 1.1], [0.0], []]),
    }


def test_known_pixels() -> None:
    events, cutflow = build_images(three_events(), TOWERS, Selection(), "f.root", first_entry=10)
    assert cutflow == (3, 2, 1.5, -0.5)
    assert events.entry.tolist() == [10, 12]
    assert events.weight.tolist() == [0.5, -1.0]
    assert events.n_tracks.tolist() == [2, 1]
    assert events.images.trk.indices.tolist() == [143 * 360 + 180, 0]
    assert events.images.trk.data.tolist() == [3.0, 16.0]
    assert events.images.ecal.data.tolist() == [2.0]
    assert events.images.hcal.data.tolist() == [6.0]


def test_vertices_are_counted_where_there_are_some() -> None:
    arrays = three_events() | {"Vertex.Z": ak.Array([[0.0, 10.0, -3.0], [0.0], [1.0, 2.0]])}
    branches = TOWERS.model_copy(update={"vertices": "Vertex.Z"})
    assert "Vertex.Z" in branches.names()
    assert build_images(arrays, branches, Selection(), "f.root")[0].n_vertices.tolist() == [3, 2]
    assert build_images(arrays, TOWERS, Selection(), "f.root")[0].n_vertices.tolist() == [0, 0]


def test_what_is_not_asked_for_stays_unread() -> None:
    arrays = {name: array for name, array in three_events().items() if not name.startswith("C.")}
    branches = TOWERS.model_copy(update={"vertices": "Vertex.Z"}).only(["trk"])
    assert set(branches.names()) == set(arrays)
    events, _ = build_images(arrays, branches, Selection(), "f.root")
    assert events.images.trk.nnz == 2
    assert events.images.ecal.shape == events.images.trk.shape
    assert events.images.ecal.nnz == events.images.hcal.nnz == 0


def test_no_events_at_all() -> None:
    none = {name: array[:0] for name, array in three_events().items()}
    events, cutflow = build_images(none, TOWERS, Selection(), "f.root")
    assert len(events) == 0
    assert cutflow == (0, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "values", "cause"),
    [
        ("H.HT", [[600.0], [], [501.0]], "H.HT holds 0 values in event 1, expected 1"),
        ("H.HT", [[600.0], [np.nan], [501.0]], "H.HT holds nan"),
        ("W.Weight", [[1.0], [np.inf], [1.0]], "W.Weight holds inf"),
        ("T.Phi", [[0.0], [], [0.0]], "T.PT, T.Eta, T.Phi, T.IsPU differ in length"),
    ],
)
def test_bad_values_name_file_and_branch(name: str, values: list[list[float]], cause: str) -> None:
    with pytest.raises(BadValueError, match=f"f.root: .*{cause}"):
        build_images(three_events() | {name: ak.Array(values)}, TOWERS, Selection(), "f.root")


def test_labels_follow_the_process() -> None:
    assert Sample(process="QCD").resolved_label() == 0
    assert Sample(process="svj").resolved_label() == 2
    assert Sample(process="emerging", label=3).label_names()[3] == "emerging"
    with pytest.raises(DarktriggerError, match="'emerging' has no label"):
        Sample(process="emerging").resolved_label()
