"""Reading Delphes ROOT files back into collections."""

from __future__ import annotations

from collections.abc import Collection as Names
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from darktrigger.errors import MissingBranchError, UnreadableFileError
from generation.delphes_file import TREE
from generation.detector.output import Collection, DelphesEvents
from generation.events import offsets_of

_ROOT_BOOKKEEPING = ("fUniqueID", "fBits")


def read_delphes(path: str | Path, names: Names[str]) -> DelphesEvents:
    """Read the numbers of some collections; references to other objects are left out.

    Parameters
    ----------
    path
        Delphes ROOT file.
    names
        Collections, such as ``Track``.

    Raises
    ------
    UnreadableFileError
        Absent, truncated, or without a Delphes tree.
    MissingBranchError
        A collection is not in the file.
    """
    try:
        with uproot.open(path) as file:
            tree = file[TREE]
            missing = sorted(set(names) - {branch.name for branch in tree.branches})
            if missing:
                raise MissingBranchError(
                    path, f"has no {', '.join(missing)}; found {', '.join(tree.keys(recursive=False))}"
                )
            return DelphesEvents({name: _collection(tree[name]) for name in names})
    except (OSError, ValueError, uproot.exceptions.KeyInFileError) as error:
        raise UnreadableFileError(path, f"is not a Delphes file ({error})") from None


def _collection(branch: Any) -> Collection:
    columns: dict[str, NDArray[Any]] = {}
    offsets: NDArray[np.int64] | None = None
    for leaf in branch.branches:
        member = leaf.name.split(".", 1)[1]
        if member in _ROOT_BOOKKEEPING or not _is_number(leaf):
            continue
        values = leaf.array()
        if offsets is None:
            offsets = offsets_of(ak.to_numpy(ak.num(values)))
        columns[member] = ak.to_numpy(ak.flatten(values))
    if offsets is None:
        raise ValueError(f"{branch.name} has no members")
    return Collection(offsets, columns)


def _is_number(leaf: Any) -> bool:
    interpretation = leaf.interpretation
    content = getattr(interpretation, "content", interpretation)
    return getattr(content, "from_dtype", None) is not None and content.from_dtype.base.names is None
