"""Writing Delphes ROOT files: branches named, nested and counted as Delphes itself has them.

uproot writes flat branches only, while in a Delphes file ``Track.PT`` is a sub-branch of
``Track``, by which coffea's DelphesSchema finds the collections. The tree is therefore
written flat, and its description rearranged in place when it is complete.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from darktrigger.errors import DarktriggerError
from darktrigger.files import atomic_path
from generation.detector.output import Collection, DelphesEvents

TREE = "Delphes"
#: Name of the JSON string that describes how the file was made.
METADATA = "darktrigger"


class DelphesWriter:
    """Writes one file, atomically: it appears under its name when the context is left without error.

    Parameters
    ----------
    path
        ROOT file.

    Examples
    --------
    >>> with DelphesWriter("events.root") as writer:  # doctest: +SKIP
    ...     writer.write(simulate(events, pool, 50.0, load_card("cms"), rng))
    ...     writer.metadata["process"] = "qcd"
    """

    def __init__(self, path: str | Path) -> None:
        self.metadata: dict[str, Any] = {}
        self._path = Path(path)
        self._stack = ExitStack()
        self._tree: Any = None

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(atomic_path(self._path))
        self._file = uproot.recreate(self._temporary, compression=uproot.ZLIB(1))
        return self

    def write(self, events: DelphesEvents) -> None:
        """Append events; all parts of a file must hold the same collections."""
        if len(events) == 0:
            return
        branches: dict[str, Any] = {}
        for name, collection in events.collections.items():
            branches[name] = np.diff(collection.offsets).astype(np.int32)
            for member, values in collection.columns.items():
                branches[_flat_name(name, member)] = _jagged(collection, values)
        if self._tree is None:
            self._tree = self._make_tree(branches)
        self._tree.extend(branches)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
            self._file.close()
            if error is None:
                nest_branches(self._temporary)
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, traceback)

    def _finish(self) -> None:
        if self._tree is None:
            raise DarktriggerError(f"{self._path}: no events to write")
        self._file[METADATA] = json.dumps(self.metadata)

    def _make_tree(self, branches: Mapping[str, Any]) -> Any:
        types = {
            name: values.dtype if isinstance(values, np.ndarray) else values.type for name, values in branches.items()
        }
        tree = self._file.mktree(
            TREE, types, counter_name=lambda name: f"{name.split('.')[0]}_size", title="Analysis tree"
        )
        _mend_inner_shapes(tree)
        return tree


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What :class:`DelphesWriter` noted in a file; empty for files of real Delphes."""
    with uproot.open(path) as file:
        return dict(json.loads(str(file[METADATA]))) if METADATA in file else {}


def _flat_name(collection: str, member: str) -> str:
    """Name while the tree is flat; of the same length as the final one, which uproot would misread."""
    return f"{collection}.{member.replace('[', '_').replace(']', '_')}"


def _jagged(collection: Collection, values: NDArray[Any]) -> ak.Array:
    content: Any = ak.contents.NumpyArray(np.ascontiguousarray(values).reshape(-1))
    if values.ndim == 2:
        content = ak.contents.RegularArray(content, values.shape[1])
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(collection.offsets), content))


def _mend_inner_shapes(tree: Any) -> None:
    """Let uproot (5.7.7) place arrays of arrays: it forgets the inner shape when it computes offsets."""
    cascade = tree._cascading  # noqa: SLF001
    write = cascade.write_jagged_basket

    def write_shaped(sink: Any, name: str, compression: Any, array: NDArray[Any], offsets: NDArray[Any]) -> Any:
        n_objects = int(offsets[-1])
        shaped = array.reshape(n_objects, -1) if n_objects and array.size != n_objects else array
        return write(sink, name, compression, shaped, offsets)

    cascade.write_jagged_basket = write_shaped


class _Branch(NamedTuple):
    """A serialised branch: its bytes, and where in them its leaf starts and says which leaf counts it."""

    name: str
    start: int
    data: bytes
    leaf: int
    counter: int


#: Byte count, class tag and name in front of a TBranch; an empty TObjArray; offset of reference numbers.
_BRANCH_HEADER = 4 + 4 + len(b"TBranch\0")
_EMPTY_ARRAY = bytes.fromhex("40000015000300010000000003000000000000000000000000")
_ARRAY_HEADER = len(_EMPTY_ARRAY)
_COUNT_MASK = 0x40000000
_MAP_OFFSET = 2
#: A leaf's body: headers of three classes and the TObject before its name; length, size, offset and two flags after
#: its title, before the reference to its counter.
_LEAF_HEADERS, _LEAF_NUMBERS = 3 * 6 + 10, 3 * 4 + 2


def nest_branches(path: str | Path, tree_name: str = TREE) -> None:
    """Make every branch ``X.Y`` of a flat tree written by uproot a sub-branch of ``X``, in place.

    The tree's description keeps its length, since every branch already holds an empty list of
    sub-branches: the serialised branches are moved, byte counts grow accordingly, and
    references between leaves follow.
    """
    with uproot.open(path) as file:
        key, tree = file.key(tree_name), file[tree_name]
        if key.fNbytes - key.fKeylen != key.fObjlen:
            raise DarktriggerError(f"{path}: the description of tree {tree_name} is compressed, expected it plain")
        seek, key_length, length = key.fSeekKey + key.fKeylen, key.fKeylen, key.fObjlen
        places = [(b.name, b.cursor.index, b._num_bytes, b.member("fLeaves")[0].cursor.index) for b in tree.branches]  # noqa: SLF001
    with Path(path).open("r+b") as stream:
        stream.seek(seek)
        blob = stream.read(length)
        stream.seek(seek)
        stream.write(_nest(blob, [_cut(blob, *place) for place in places], key_length))


def _cut(blob: bytes, name: str, body: int, size: int, leaf_body: int) -> _Branch:
    start = body - _BRANCH_HEADER
    data = blob[start : body + size]
    # The leaf's class name, such as TLeafF, ends with a null right before its body.
    leaf = blob.rindex(b"TLeaf", start, leaf_body) - 8 - start
    return _Branch(name, start, data, leaf, _counter_place(blob, leaf_body) - start)


def _counter_place(blob: bytes, leaf_body: int) -> int:
    """Where a leaf refers to its counter."""
    at = leaf_body + _LEAF_HEADERS
    for _ in ("name", "title"):
        at += 1 + blob[at]
    return at + _LEAF_NUMBERS


def _nest(blob: bytes, branches: list[_Branch], key_length: int) -> bytes:
    first, last = branches[0].start, branches[-1].start + len(branches[-1].data)
    children: dict[str, list[_Branch]] = {}
    top: list[_Branch] = []
    for branch in branches:
        parent = branch.name.partition(".")[0]
        (children.setdefault(parent, []) if parent != branch.name else top).append(branch)
    # A reader must meet the counters before the leaves that refer to them.
    top.sort(key=lambda branch: not branch.name.endswith("_size"))
    moved, starts, position = b"", {}, first
    for branch in top:
        inside = children.get(branch.name, [])
        slot = branch.data.index(_EMPTY_ARRAY)
        starts[branch.name] = position
        inner = position + slot + _ARRAY_HEADER
        for child in inside:
            starts[child.name] = inner
            inner += len(child.data)
        data = _fill(branch.data, slot, inside)
        moved += data
        position += len(data)
    references = {
        key_length + branch.start + branch.leaf + _MAP_OFFSET: key_length
        + starts[branch.name]
        + _leaf_offset(branch, children)
        + _MAP_OFFSET
        for branch in branches
    }
    result = bytearray(blob[:first] + moved + blob[last:])
    result[first - 8 : first - 4] = struct.pack(">i", len(top))
    array = first - _ARRAY_HEADER
    result[array : array + 4] = struct.pack(">I", (len(moved) + _ARRAY_HEADER - 4) | _COUNT_MASK)
    for branch in branches:
        at = starts[branch.name] + _leaf_offset(branch, children) - branch.leaf + branch.counter
        _refer(result, at, references)
    _refer_all(result, last + _ARRAY_HEADER, references, len(branches))
    return bytes(result)


def _leaf_offset(branch: _Branch, children: Mapping[str, list[_Branch]]) -> int:
    """Where the leaf starts once the branch holds its children, which lie before it."""
    return branch.leaf + sum(len(child.data) for child in children.get(branch.name, []))


def _fill(data: bytes, slot: int, inside: list[_Branch]) -> bytes:
    """Put children into a branch's empty list and let the byte counts around them grow."""
    if not inside:
        return _final_name(data)
    added = b"".join(_final_name(child.data) for child in inside)
    filled = bytearray(data[: slot + _ARRAY_HEADER] + added + data[slot + _ARRAY_HEADER :])
    for at in (0, _BRANCH_HEADER, slot):
        (count,) = struct.unpack_from(">I", filled, at)
        struct.pack_into(">I", filled, at, count + len(added))
    struct.pack_into(">i", filled, slot + _ARRAY_HEADER - 8, len(inside))
    return bytes(filled)


def _final_name(data: bytes) -> bytes:
    """``Edges_4_`` becomes ``Edges[4]`` in the branch's name, though not in its leaf's."""
    for flat, final in ((b".Edges_4_", b".Edges[4]"), (b".Edges_2_", b".Edges[2]")):
        data = data.replace(flat, final, 1)
    return data


def _refer(result: bytearray, at: int, references: Mapping[int, int]) -> None:
    """Redirect one reference, unless it is none (0)."""
    (old,) = struct.unpack_from(">I", result, at)
    if old:
        struct.pack_into(">I", result, at, references[old])


def _refer_all(result: bytearray, begin: int, references: Mapping[int, int], n: int) -> None:
    """Redirect the tree's own list of leaves."""
    for at in range(begin, begin + 4 * n, 4):
        _refer(result, at, references)
