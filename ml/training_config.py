"""How to train, one class for each kind of training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from darktrigger.config import StrictModel
from imaging.composition import Composition
from imaging.split import EntrySplit
from ml.callbacks import BEST
from ml.decorrelation import AnyObjective
from ml.events import BackgroundOnly, Contaminated, EventPolicy, Labelled
from ml.overlays import OverlayConfig

Count = Annotated[int, Field(ge=1)]


class TrainingConfig(StrictModel):
    """How to train; optimiser settings are those of the CoDAE paper, section 4.7.

    Parameters
    ----------
    epochs
        Passes over the training events, at most.
    batch_size
        Events in a step of the optimiser.
    micro_batch
        Events that go through the network at once; their gradients add up to those of the
        batch. By default 8 on a CPU, where what the layers hand on then stays in the cache, and
        the whole batch elsewhere. A model that normalises over the batch takes it whole.
    learning_rate, weight_decay
        Of AdamW; the decay is multiplied by the learning rate.
    schedule
        Of the learning rate: ``constant``, or ``cosine``, half a period from the learning rate to zero over all
        steps of all epochs, which makes more of few epochs.
    warm_up
        First steps, in which the learning rate rises from nothing, in equal parts.
    clip_norm
        Largest l2 norm of the gradient of each parameter tensor, one by one as Keras' ``clipnorm``.
    validation_fraction
        Share of the events that is set aside for model selection and calibration.
    patience
        Epochs without a better one, by validation SSIM or loss as the family has it, after which training stops.
    seed
        Of the initial weights, the split, the order of events, the augmentations and the model's noise.
    precision
        ``bfloat16`` autocast, ``float32``, or ``auto``: bfloat16 where the hardware is faster with it.
    compile
        Whether an accelerator gets the network compiled (``torch.compile``, which needs a C compiler there and takes
        a minute at the start), for many times the speed; no effect on a CPU.
    augmentation
        Whether to flip and rotate the training events at random, see :mod:`ml.augmentation`.
    entries
        Which events of the image files to use, by their entry number.
    pretrained
        Run folder of the same model whose best weights training starts from, to go on with other settings or with
        other events (another detector's, say); random ones unless given. A relative path starts in the current folder.
    """

    epochs: Count = 30
    batch_size: Count = 128
    micro_batch: Count | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warm_up: Annotated[int, Field(ge=0)] = 0
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Count = 10
    seed: Annotated[int, Field(ge=0)] = 42
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    augmentation: bool = True
    entries: EntrySplit = EntrySplit()
    pretrained: Path | None = None

    @property
    def events(self) -> EventPolicy:
        """Which events a model of this kind trains on."""
        return BackgroundOnly()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files beside the images that the training reads."""
        return (self.pretrained / BEST,) if self.pretrained else ()


class SupervisedTraining(TrainingConfig):
    """Training on labelled images, background against all signals, every class with the same total weight."""

    @property
    def events(self) -> EventPolicy:
        """All events, with their labels."""
        return Labelled()


class ContaminatedTraining(TrainingConfig):
    """Training on background that holds a little signal, unlabelled (CoDAE, section 5.2).

    Parameters
    ----------
    contamination
        Signal events for each background event; at least one is taken. The paper's "0.01% of the
        signals" is read as a share of the background; of its 442k background and 173k signal
        events (section 3) that is 44 where the other reading gives 17.
    """

    contamination: Annotated[float, Field(gt=0, lt=1)] = 1e-4

    @property
    def events(self) -> EventPolicy:
        """Background, and signal events drawn from all those given."""
        return Contaminated(self.contamination)


class DecorrelatedTraining(TrainingConfig):
    """Training of several models at once whose scores are to be independent, see :mod:`ml.decorrelated`.

    Parameters
    ----------
    objective
        What makes them so.
    background
        How much each process of the background is worth where scores are to be independent, by file; all events alike
        unless given. The models themselves learn from all events alike, so that more of a rare process, which fills
        the tails, can train than a batch of background would have of it.
    """

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    augmentation: bool = False
    objective: AnyObjective
    background: Composition = ()


class DistillationTraining(TrainingConfig):
    """Training on a teacher's score of background events, see :mod:`ml.distillation`.

    Many small steps with a high learning rate, since there are few parameters; in float32, since the teacher's
    scores have more digits than bfloat16.

    Parameters
    ----------
    teacher
        Trigger model (ONNX); a relative path starts in the current folder.
    score
        Its score to learn.
    overlays
        Overlays of two background events, to train on beside the events.
    """

    teacher: Path
    score: str
    overlays: OverlayConfig = OverlayConfig()
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    epochs: Count = 15
    micro_batch: Count | None = 32
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3

    @property
    def files(self) -> tuple[Path, ...]:
        """The teacher too."""
        return (*super().files, self.teacher)
