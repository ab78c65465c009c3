"""The kinds of input that are fuzzed."""

from __future__ import annotations

from benchmarks.fuzz.configs import Configs
from benchmarks.fuzz.hepmc import HepMCFiles
from benchmarks.fuzz.kind import Kind
from benchmarks.fuzz.npz import PaperFiles
from benchmarks.fuzz.parquet import ParquetFiles
from benchmarks.fuzz.root import RootFiles
from benchmarks.fuzz.runs import RunFolders
from benchmarks.fuzz.trigger import TriggerModels

KINDS: dict[str, type[Kind]] = {
    "root": RootFiles,
    "parquet": ParquetFiles,
    "onnx": TriggerModels,
    "yaml": Configs,
    "hepmc": HepMCFiles,
    "npz": PaperFiles,
    "runs": RunFolders,
}
