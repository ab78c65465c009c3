"""coffea's DelphesSchema without the parts that stand in our way."""

from __future__ import annotations

from typing import Any, ClassVar

from coffea.nanoevents import DelphesSchema


class PlainDelphesSchema(DelphesSchema):
    """Every branch under its own name, whoever wrote the file.

    DelphesSchema drops ``E`` from towers, which the share of a calorimeter is computed
    from, to make room for vector behaviour that images do not need. And it knows branches
    only as parts of split objects (``Track/Track.PT``), as Delphes writes them, not as
    branches of their own (``Track.PT``), as uproot does.
    """

    mixins: ClassVar[dict[str, str]] = {}

    def _build_collections(self, branch_forms: dict[str, Any]) -> dict[str, Any]:
        nested = {_nested(name): form for name, form in branch_forms.items()}
        collections: dict[str, Any] = super()._build_collections(nested)
        return collections


def _nested(name: str) -> str:
    return name if "/" in name or "." not in name else f"{name.split('.', 1)[0]}/{name}"
