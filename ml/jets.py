"""Jet images for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from darktrigger.errors import TrainingError
from darktrigger.files import fingerprint
from imaging.jets.dense import JET
from imaging.jets.jet_file import iterate_jet_file
from imaging.split import EntrySplit
from ml.data import ImageData
from ml.events import EventPolicy


def load_jets(files: Sequence[Path], entries: EntrySplit, policy: EventPolicy, seed: int) -> ImageData:
    """Read the jets of jet image files that ``entries`` keeps and ``policy`` takes, p_T in GeV as they are.

    Raises
    ------
    TrainingError
        No jet is left, or the policy refuses some.
    InputFileError
        A file is no jet image file, or a damaged one.
    """
    parts, labels = [], []
    for path in files:
        for jets in iterate_jet_file(path):
            kept = entries.mask(jets.entry)
            parts.append(jets.images[kept])
            labels.append(jets.label[kept])
    if not sum(map(len, labels)):
        raise TrainingError(f"no jet to train on in {', '.join(map(str, files))} (entries kept: {entries})")
    fingerprints = {str(path): fingerprint(path) for path in files}
    data = ImageData(csr_array(vstack(parts, format="csr")), JET, fingerprints, np.concatenate(labels))
    return data[policy.choose(data.label, seed)]
