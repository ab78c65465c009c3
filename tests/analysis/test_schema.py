"""The processor sees the branches that imaging sees, whatever card or program wrote the file."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import DelphesSchema, NanoEventsFactory

from analysis.processor import Columns, available_branches
from analysis.schema import PlainDelphesSchema
from imaging.branches import BranchOverride, find_branches


def events_of(path: Path, schema: Any = PlainDelphesSchema) -> Any:
    factory = NanoEventsFactory.from_root(
        {str(path): "Delphes"}, schemaclass=schema, mode="virtual", metadata={"filename": str(path)}
    )
    return factory.events()


@pytest.mark.parametrize("name", ["qcd_stock_nopu", "svj3100_pu50"])
def test_same_branches_with_the_same_values(shared: Path, name: str) -> None:
    path = shared / "delphes" / f"{name}.root"
    with uproot.open(path) as file:
        tree = file["Delphes"]
        expected = find_branches(tree.keys(full_paths=False), BranchOverride(), name)
        arrays = tree.arrays(expected.names(), how=dict)
    events = events_of(path)
    found = find_branches(available_branches(events), BranchOverride(), name)
    assert found == expected
    columns = Columns(events)
    for branch, array in arrays.items():
        np.testing.assert_array_equal(ak.num(columns[branch]), ak.num(array), branch)
        np.testing.assert_array_equal(ak.flatten(columns[branch]), ak.flatten(array), branch)


def test_coffeas_own_schema_loses_the_energy_of_towers(shared: Path) -> None:
    """The reason for ours; when this fails, coffea has changed and ours may go."""
    path = shared / "delphes" / "qcd_stock_nopu.root"
    assert "Tower.E" not in available_branches(events_of(path, DelphesSchema))
    assert "Tower.E" in available_branches(events_of(path))


def test_branches_of_their_own(tmp_path: Path) -> None:
    """uproot writes ``Jet.PT`` beside, not inside, ``Jet``."""
    path = tmp_path / "flat.root"
    jets = ak.Array([[1.0, 2.0], [], [3.0]])
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "Delphes",
            {"Jet": ak.zip({"PT": jets}).type.content},
            counter_name=lambda name: f"{name}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}",
        )
        tree.extend({"Jet": ak.zip({"PT": jets})})
    columns = Columns(events_of(path), np.array([True, False, True]))
    assert columns["Jet.PT"].to_list() == [[1.0, 2.0], [3.0]]
