"""Shapes of the dense inputs of all models: of images, of objects and of jets."""

from __future__ import annotations

from imaging.dense import INPUT_CHANNELS, INPUT_SHAPES, OBJECTS
from imaging.jets.dense import JET, JET_INPUT_SHAPES
from imaging.objects.layout import N_INPUTS

#: Shape of one event or jet for each input kind; of images channels first.
ALL_INPUT_SHAPES: dict[str, tuple[int, ...]] = INPUT_SHAPES | JET_INPUT_SHAPES | {OBJECTS: (N_INPUTS,)}

#: Sub-detectors that each input kind shows apart, in channel order; a jet's constituents are of all together.
ALL_INPUT_CHANNELS: dict[str, tuple[str, ...]] = INPUT_CHANNELS | {JET: (), OBJECTS: ()}
