"""Rarities as further outputs of a trigger model (ONNX)."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from analysis.binned import FloatArray
from analysis.estimation.rarity import Hinge, Rarities

#: Of the names of all that is added to a graph.
_PREFIX = "rarities"


class RarityGraph:
    """Nodes that turn two outputs of a graph into rarities; each is in every set of operators from 8 on.

    Parameters
    ----------
    graph
        Which gets them, in place.
    rarities
        What they compute.
    """

    def __init__(self, graph: onnx.GraphProto, rarities: Rarities) -> None:
        self._graph, self._rarities, self._n = graph, rarities, 0

    def add(self, scores: tuple[str, str], signs: tuple[int, int], outputs: tuple[str, str]) -> None:
        """Add the outputs.

        Parameters
        ----------
        scores
            Names of two outputs of shape (n,), float32.
        signs
            -1 for a score whose lower values are the anomalous ones.
        outputs
            Names of the rarities, of the same shape.
        """
        column, row = self._constant(np.array([-1, 1])), self._constant(np.array([-1]))
        first, second = (
            self._hinge(
                self._node("Mul", self._node("Reshape", score, column), self._constant(np.float32(sign))), hinge
            )
            for score, sign, hinge in zip(scores, signs, self._rarities.marginal, strict=True)
        )
        hazards = self._hinge(first, self._rarities.hazard)
        covered = self._pieces(second, *self._rarities.piece)
        ones = self._constant(np.ones((self._rarities.piece.shape[1], 1), dtype=np.float32))
        second = self._node("MatMul", self._node("Mul", hazards, covered), ones)
        for found, output in zip((first, second), outputs, strict=True):
            self._graph.node.append(helper.make_node("Reshape", [found, row], [output], name=f"{_PREFIX}/{output}"))
            batch = self._graph.input[0].type.tensor_type.shape.dim[0].dim_param or "batch"
            self._graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch]))

    def _hinge(self, x: str, hinge: Hinge) -> str:
        """Shape (n, 1) to (n, 1) or (n, m)."""
        slope = hinge.slope.reshape(len(hinge.knot), -1)
        product = self._node("MatMul", self._pieces(x, hinge.knot, hinge.width), self._numbers(slope))
        return self._node("Add", product, self._numbers(hinge.base.reshape(1, -1)))

    def _pieces(self, x: str, knot: FloatArray, width: FloatArray) -> str:
        """See :func:`analysis.estimation.rarity.pieces`; shape (n, 1) to (n, k)."""
        beyond = self._node("Sub", x, self._numbers(knot[None]))
        return self._node("Min", self._node("Max", beyond, self._constant(np.float32(0))), self._numbers(width[None]))

    def _numbers(self, values: FloatArray) -> str:
        return self._constant(values.astype(np.float32))

    def _constant(self, values: np.generic | np.ndarray) -> str:
        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _node(self, kind: str, *inputs: str) -> str:
        name = self._name()
        self._graph.node.append(helper.make_node(kind, inputs, [name], name=name))
        return name

    def _name(self) -> str:
        self._n += 1
        return f"{_PREFIX}/{self._n}"
