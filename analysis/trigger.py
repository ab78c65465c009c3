"""The trigger model: an ONNX file that turns images into scores (CONTRACTS.md, "Trigger model (ONNX)")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator
from scipy.sparse import csr_array

from analysis.openvino import Runner, openvino_runner
from analysis.runtime import Runtime
from darktrigger.errors import DarktriggerError, ModelFileError
from darktrigger.files import fingerprint, fingerprint_of
from darktrigger.names import label_problem, name_problem, shortened
from imaging.dense import OBJECTS, EventImages, model_input
from imaging.input_shapes import ALL_INPUT_CHANNELS, ALL_INPUT_SHAPES
from imaging.jets.dense import JET_INPUT_SHAPES

METADATA_KEY = "darktrigger"

#: Outputs that are no scores: what an autoencoder makes of its input; the input as the network sees it, where it
#: prepares it first, which is then what it rebuilds; its latents.
RECONSTRUCTION, PREPARED, LATENT = "reconstruction", "prepared", "latent"


class Direction(StrEnum):
    """Which values of a score are anomalous."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def sign(self) -> int:
        """Factor that makes higher values the anomalous ones."""
        return 1 if self is Direction.HIGHER else -1


class _Contract(BaseModel):
    """Metadata of any maker: what we need is checked, what we do not know is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class InputSpec(_Contract):
    """What the model is fed; ``sums_channels`` says that it looks at nothing but the sum of the channels."""

    kind: str
    normalisation: str = "none"
    sums_channels: bool = False


class ScoreSpec(_Contract):
    """One output of the model."""

    direction: Direction


class Landscape(_Contract):
    """The latent sphere of a model with three latents, as the latents have it.

    Parameters
    ----------
    energy
        Energy of what the decoder makes of the sphere, rows of latitudes from -pi/2 to pi/2 of longitudes from -pi to
        pi.
    chains
        Longitude and latitude of the states of chains that sample it.
    """

    energy: list[list[FiniteFloat]]
    chains: list[Annotated[list[tuple[FiniteFloat, FiniteFloat]], Field(min_length=1)]] = Field(default_factory=list)

    @field_validator("energy")
    @classmethod
    def _is_a_map(cls, rows: list[list[float]]) -> list[list[float]]:
        if len(rows) < 2 or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
            raise ValueError("should be a table of two rows and columns or more")
        return rows

    @property
    def map(self) -> NDArray[np.float64]:
        """Energy, shape (latitudes, longitudes)."""
        return np.array(self.energy, dtype=np.float64)


class TriggerMetadata(_Contract):
    """JSON of the ``darktrigger`` key of ``metadata_props``."""

    family: str = "unknown"
    config: Any = None
    input: InputSpec
    scores: dict[str, ScoreSpec]
    reconstruction: bool = False
    landscape: Landscape | None = None
    training: Any = None
    seed: int | None = None
    precision: str | None = None


def dense_input(images: EventImages | csr_array, kind: str) -> NDArray[np.float32]:
    """Dense input of a model by its kind, shape (n, C, H, W); jets as they are, GeV."""
    if isinstance(images, csr_array):
        dense: NDArray[np.float32] = images.toarray().reshape(-1, *ALL_INPUT_SHAPES[kind])
        return dense
    return model_input(images, kind)


class Batch(NamedTuple):
    """Some events: what went into the model and what came out.

    ``image`` and ``reconstruction`` have shape (n, C, H, W), each score shape (n,), ``latent`` (n, K); the image
    is as the network sees it where the model tells. Reconstruction and latents are None where the model gives
    none or they were not asked for.
    """

    image: NDArray[np.float32]
    scores: dict[str, NDArray[np.float32]]
    reconstruction: NDArray[np.float32] | None
    latent: NDArray[np.float32] | None = None


class Trigger:
    """A trigger model that keeps its contract.

    The bytes of the file travel to worker processes; what computes it is built in each when
    first needed, on one thread, since workers share the cores.

    Parameters
    ----------
    path
        ONNX file, of whatever maker.
    runtime
        Who computes it.

    Raises
    ------
    ConfigError
        The runtime is not installed, or this CPU cannot compute as it would have to.
    ModelFileError
        Not ONNX, without metadata, of an unknown input kind or normalisation, or with
        inputs and outputs that are not those of the metadata; the runtime cannot compute it.
    """

    def __init__(self, path: str | Path, runtime: Runtime = Runtime.ONNXRUNTIME) -> None:
        self.path, self.runtime = str(path), Runtime(runtime)
        try:
            self._model = Path(path).read_bytes()
        except OSError as error:
            raise ModelFileError(path, f"cannot be read ({error.strerror})") from None
        self.fingerprint = fingerprint_of(self._model)
        self._session: onnxruntime.InferenceSession | None = None
        self._runner: Runner | None = None
        try:
            self.metadata = self._read_metadata()
            self._check_input()
            self._check_outputs()
            self._check_reconstruction()
            self._names = tuple(node.name for node in self.session.get_outputs())
        except UnicodeDecodeError as error:
            raise ModelFileError(path, f"holds a name or metadata that is no text ({error})") from None
        # What is not installed is better found now than by the first batch.
        _ = self.run

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_session": None, "_runner": None}

    @property
    def directions(self) -> dict[str, Direction]:
        """Direction of every score, in the order of the metadata."""
        return {name: spec.direction for name, spec in self.metadata.scores.items()}

    @property
    def channels(self) -> tuple[str, ...]:
        """Sub-detectors that the model's input shows."""
        return ALL_INPUT_CHANNELS[self.metadata.input.kind]

    @property
    def takes_objects(self) -> bool:
        """Whether the model is fed with leptons, jets and missing E_T in the place of images."""
        return self.metadata.input.kind == OBJECTS

    @property
    def takes_jets(self) -> bool:
        """Whether the model is fed with jets in the place of events."""
        return self.metadata.input.kind in JET_INPUT_SHAPES

    @property
    def has_reconstruction(self) -> bool:
        """Whether the file gives the reconstructed images."""
        return RECONSTRUCTION in self._names

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """ONNX Runtime session of this process."""
        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            try:
                self._session = onnxruntime.InferenceSession(
                    self._model, sess_options=options, providers=["CPUExecutionProvider"]
                )
            # ONNX Runtime's exceptions have no base class of their own.
            except Exception as error:  # noqa: BLE001
                raise ModelFileError(self.path, f"is not an ONNX model that can be run ({error})") from None
        return self._session

    @property
    def run(self) -> Runner:
        """The model in this process: outputs, by name, of a batch of images."""
        if self._runner is None:
            self._runner = self._onnxruntime if self.runtime is Runtime.ONNXRUNTIME else self._openvino()
        return self._runner

    def check_unchanged(self) -> None:
        """Make sure that the file is still the model that was read from it.

        Raises
        ------
        ModelFileError
            It is not.
        """
        if fingerprint(self.path) != self.fingerprint:
            raise ModelFileError(self.path, "changed during the run; run the command again with one model")

    def scores(self, images: EventImages | csr_array, batch_size: int = 16) -> dict[str, NDArray[np.float32]]:
        """Every score of every event as the model gives it, shape (n,) each.

        Dense images exist for ``batch_size`` events at a time.
        """
        # The dense images must not pile up.
        batches = [batch.scores for batch in self.batches(images, batch_size, reconstruction=False)]
        empty = np.empty(0, dtype=np.float32)
        return {name: np.concatenate([empty, *(scores[name] for scores in batches)]) for name in self.metadata.scores}

    def batches(self, images: EventImages | csr_array, batch_size: int, *, reconstruction: bool) -> Iterator[Batch]:
        """Events or jets in order, ``batch_size`` at a time.

        Parameters
        ----------
        images
            Of events, or their objects, or p_T in the pixels of jets, GeV, shape (n, 1600), as the model's input kind
            wants.
        batch_size
            So many at a time.
        reconstruction
            Whether to put out what is no score too, where the model has it.
        """
        names = list(self.metadata.scores)
        others = [name for name in (RECONSTRUCTION, PREPARED, LATENT) if reconstruction and name in self._names]
        n_images = images.shape[0] if isinstance(images, csr_array) else len(images)
        for start in range(0, n_images, batch_size):
            image_NCHW = dense_input(images[start : start + batch_size], self.metadata.input.kind)
            outputs = self._outputs([*names, *others], image_NCHW)
            found = dict(zip([*names, *others], outputs, strict=True))
            yield Batch(
                found.get(PREPARED, image_NCHW),
                {name: found[name] for name in names},
                found.get(RECONSTRUCTION),
                found.get(LATENT),
            )

    def _outputs(self, wanted: list[str], image_NCHW: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What the model makes of a batch, of the shapes that the contract promises."""
        try:
            outputs = self.run(wanted, image_NCHW)
        except DarktriggerError:
            raise
        except Exception as error:  # noqa: BLE001 (the runtimes' exceptions have no base class of their own)
            raise ModelFileError(self.path, f"fails on {len(image_NCHW)} events ({error})") from None
        for name, output in zip(wanted, outputs, strict=True):
            expected = image_NCHW.shape if name in (RECONSTRUCTION, PREPARED) else image_NCHW.shape[:1]
            if name != LATENT and output.shape != expected:
                raise ModelFileError(self.path, f"output '{name}' has shape {output.shape}; expected {expected}")
        return outputs

    def _onnxruntime(self, wanted: Sequence[str], image_NCHW: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = self.session.run(wanted, {"image": image_NCHW})
        return outputs

    def _openvino(self) -> Runner:
        try:
            return openvino_runner(self._model, bfloat16=self.runtime is Runtime.OPENVINO_BF16)
        except DarktriggerError:
            raise
        except Exception as error:  # noqa: BLE001
            cause = " ".join(str(error).split())
            raise ModelFileError(self.path, f"cannot be run by OpenVINO ({cause})") from None

    def _read_metadata(self) -> TriggerMetadata:
        properties: Mapping[str, str] = self.session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in properties:
            found = ", ".join(sorted(properties)) or "none"
            raise ModelFileError(self.path, f"has no '{METADATA_KEY}' in its metadata_props (found: {found})")
        try:
            return TriggerMetadata.model_validate(json.loads(properties[METADATA_KEY]))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ModelFileError(self.path, f"metadata key '{where}': {first['msg']}") from None
        except (ValueError, RecursionError) as error:
            raise ModelFileError(self.path, f"metadata is not valid JSON ({error})") from None

    def _check_input(self) -> None:
        spec = self.metadata.input
        if spec.kind not in ALL_INPUT_SHAPES:
            raise ModelFileError(
                self.path, f"unknown input kind '{spec.kind}'; expected one of {', '.join(ALL_INPUT_SHAPES)}"
            )
        if spec.normalisation != "none":
            raise ModelFileError(self.path, f"unknown input normalisation '{spec.normalisation}'; expected none")
        found = {node.name: (node.type, node.shape) for node in self.session.get_inputs()}
        if list(found) != ["image"]:
            raise ModelFileError(self.path, f"inputs are {', '.join(found)}; expected image alone")
        kind, (batch, *event) = found["image"]
        shape = list(ALL_INPUT_SHAPES[spec.kind])
        if kind != "tensor(float)" or event != shape or isinstance(batch, int):
            expected = f"tensor(float) {['N', *shape]}, N free, for '{spec.kind}'"
            raise ModelFileError(self.path, f"input image is {kind} {[batch, *event]}; expected {expected}")

    def _check_outputs(self) -> None:
        if not self.metadata.scores:
            raise ModelFileError(self.path, "metadata names no score")
        found = {node.name: (node.type, len(node.shape)) for node in self.session.get_outputs()}
        for name in self.metadata.scores:
            if problem := name_problem(name) or label_problem(name):
                raise ModelFileError(self.path, f"score name {shortened(name)} {problem}")
            if name not in found:
                raise ModelFileError(self.path, f"score '{name}' is not among the outputs ({', '.join(found)})")
            if found[name] != ("tensor(float)", 1):
                kind, rank = found[name]
                raise ModelFileError(self.path, f"score '{name}' is {kind} of rank {rank}; expected tensor(float) [N]")

    def _check_reconstruction(self) -> None:
        found = {node.name: (node.type, node.shape) for node in self.session.get_outputs()}
        if RECONSTRUCTION not in found:
            if self.metadata.reconstruction:
                raise ModelFileError(self.path, f"has no output '{RECONSTRUCTION}', which its metadata promise")
            return
        kind, shape = found[RECONSTRUCTION]
        expected = list(ALL_INPUT_SHAPES[self.metadata.input.kind])
        if kind != "tensor(float)" or shape[1:] != expected:
            raise ModelFileError(
                self.path, f"output '{RECONSTRUCTION}' is {kind} {shape}; expected tensor(float) {['N', *expected]}"
            )
