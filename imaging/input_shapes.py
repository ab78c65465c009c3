"""Shapes of the dense inputs of all models, of events and of jets."""

from __future__ import annotations

from imaging.dense import INPUT_CHANNELS, INPUT_SHAPES
from imaging.jets.dense import JET, JET_INPUT_SHAPES

#: Shape of one event or jet for each input kind, channels first.
ALL_INPUT_SHAPES: dict[str, tuple[int, int, int]] = INPUT_SHAPES | JET_INPUT_SHAPES

#: Sub-detectors that each input kind shows apart, in channel order; a jet's constituents are of all together.
ALL_INPUT_CHANNELS: dict[str, tuple[str, ...]] = INPUT_CHANNELS | {JET: ()}
