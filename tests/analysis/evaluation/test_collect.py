"""Scores in pieces: whoever collects them, and however often that is interrupted, they are the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.evaluate import evaluate
from analysis.evaluation import collect as module
from analysis.evaluation.collect import collect
from analysis.evaluation.config import EvaluationConfig
from analysis.evaluation.samples import Key, Sample, save_samples
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, InputFileError
from darktrigger.executors import ExecutorConfig, open_executor
from darktrigger.inputs import read_list
from darktrigger.run_report import RunReport
from imaging.image_source import ImageSource, open_images

CONFIG = EvaluationConfig(examples=2)


@pytest.fixture
def triggers(make_model: Callable[..., Path]) -> list[Trigger]:
    return [Trigger(make_model("echo", {"reconstruction": 0.5}, reconstruction=True))]


@pytest.fixture
def sources(images: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> list[ImageSource]:
    monkeypatch.setattr(module, "_PIECE", 10)
    return [open_images(images[name]) for name in ("qcd", "suep1000", "qcd")]


def same(first: dict[Key, Sample], second: dict[Key, Sample]) -> bool:
    def plain(samples: dict[Key, Sample]) -> Any:
        return {
            key: (
                sample.weight.tolist(),
                {column: values.tolist() for column, values in sample.scores.items()},
                {path: quality.mse.tolist() for path, quality in sample.quality.items()},
                {path: [example.image.sum() for example in kept] for path, kept in sample.examples.items()},
            )
            for key, sample in samples.items()
        }

    return bool(plain(first) == plain(second))


def test_an_interrupted_evaluation_takes_up_what_is_done(
    triggers: list[Trigger], sources: list[ImageSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, whole = tmp_path / "parts", collect(triggers, sources, CONFIG)
    assert [len(kept) for sample in whole.values() for kept in sample.examples.values()] == [2, 2]
    assert all(np.isfinite(sample.weight).all() for sample in whole.values())

    def interrupted(path: Path, samples: dict[Key, Sample]) -> None:
        if list(parts.glob("*.npz")):
            raise KeyboardInterrupt
        save_samples(path, samples)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_samples", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collect(triggers, sources, CONFIG, parts=parts)
    report = RunReport("evaluate")
    assert same(collect(triggers, sources, CONFIG, parts=parts, report=report), whole)
    assert 0 < report.taken_up < report.tasks
    assert report.events == sum(len(sample.weight) for sample in whole.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "who",
    [
        ExecutorConfig(kind="futures", workers=2),
        ExecutorConfig(kind="futures", workers=4),
        ExecutorConfig(kind="dask", workers=2),
    ],
    ids=str,
)
def test_who_does_the_work_does_not_matter(
    who: ExecutorConfig, triggers: list[Trigger], sources: list[ImageSource]
) -> None:
    with open_executor(who) as executor:
        assert same(collect(triggers, sources, CONFIG, executor=executor), collect(triggers, sources, CONFIG))


def test_bad_files_are_left_out_as_a_whole(
    triggers: list[Trigger], images: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be opened, one for other models, and one that is damaged behind its first piece."""
    monkeypatch.setattr(module, "_PIECE", 10)
    good = [str(images[name]) for name in ("qcd", "suep1000")]
    content = bytearray(images["qcd"].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    damaged, broken = tmp_path / "damaged.parquet", tmp_path / "broken.parquet"
    damaged.write_bytes(content)
    broken.write_bytes(b"PAR1")
    monkeypatch.setattr("analysis.evaluate.draw_evaluation", lambda *_: [])
    for path in (damaged, broken):
        with pytest.raises(InputFileError, match=path.name):
            evaluate(triggers, [*good, str(path)], tmp_path / "strict", CONFIG)
    evaluate(triggers, [good[0], str(damaged), good[1], str(broken)], tmp_path / "out", CONFIG, skip_bad_files=True)
    assert read_list(tmp_path / "out" / "failed.txt") == [str(broken), str(damaged)]
    evaluate(triggers, good, tmp_path / "reference", CONFIG)
    assert not (tmp_path / "reference" / "failed.txt").exists()
    for name in ("auroc.csv", "fpr.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "reference" / name).read_bytes()
    with pytest.raises(AnalysisError, match=r"no usable input file:\n  .*broken\.parquet"):
        evaluate(triggers, [str(broken)], tmp_path / "none", CONFIG, skip_bad_files=True)
