"""The processor on real Delphes files, with every executor, and with bad files."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from coffea.nanoevents import NanoEventsFactory

from analysis.config import AbcdConfig, AnalysisConfig, ExecutorConfig, Limits
from analysis.fileset import Dataset, DatasetMetadata, read_fileset
from analysis.processor import Columns, available_branches
from analysis.runner import Processed, process_fileset
from analysis.scan import work_items
from analysis.schema import PlainDelphesSchema
from analysis.scores import event_scores
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, BadValueError, ExecutorError, MissingBranchError, UnreadableFileError
from imaging.branches import BranchOverride, find_branches
from imaging.config import Selection
from imaging.events import build_images
from imaging.split import EntrySplit

PAIRS = (("pixel_sum", "forward"),)


def config(chunk_size: int = 1000, **executor: Any) -> AnalysisConfig:
    return AnalysisConfig(
        abcd=AbcdConfig(pairs=PAIRS), executor=ExecutorConfig(chunk_size=chunk_size, batch_size=16, **executor)
    )


@pytest.fixture(scope="module")
def trigger(trigger_path: Path) -> Trigger:
    return Trigger(trigger_path)


@pytest.fixture(scope="module")
def datasets(fileset_path: Path) -> tuple[Dataset, ...]:
    return read_fileset(fileset_path)


@pytest.fixture(scope="module")
def reference(datasets: tuple[Dataset, ...], trigger: Trigger) -> Processed:
    return process_fileset(datasets, trigger, config(chunk_size=40))


def single(path: Path | str, **metadata: Any) -> tuple[Dataset, ...]:
    return (Dataset("qcd", {str(path): "Delphes"}, DatasetMetadata(process="qcd", **metadata)),)


def test_histograms_are_those_of_the_events(reference: Processed, trigger: Trigger, data: Path) -> None:
    with uproot.open(data / "suep1000.root") as file:
        events = file["Delphes"]
        branches = find_branches(events.keys(full_paths=False), BranchOverride(), "suep")
        images, cutflow = build_images(events.arrays(branches.names(), how=dict), branches, Selection(), "suep")
    result = reference.datasets["suep1000"]
    assert result.cutflow == pytest.approx(cutflow)
    assert result.cutflow.selected == len(images) > 0
    scores = event_scores(trigger, images, 16, AnalysisConfig().baselines)
    for name, values in (*((f"score_{name}", values) for name, values in scores.items()), ("ht", images.ht)):
        counts, histogram = result.histograms[f"{name}_counts"], result.histograms[name]
        edges = histogram.axes[0].edges
        expected, _ = np.histogram(values.astype(np.float64), edges)
        np.testing.assert_array_equal(counts.values(), expected)
        weighted, _ = np.histogram(values.astype(np.float64), edges, weights=images.weight.astype(np.float64))
        np.testing.assert_allclose(histogram.values(), weighted)
    plane = result.histograms["plane_pixel_sum_forward_counts"]
    expected, _, _ = np.histogram2d(scores["pixel_sum"], scores["forward"], [axis.edges for axis in plane.axes])
    np.testing.assert_array_equal(plane.values(), expected)
    by_ht = result.histograms["score_pixel_sum_by_ht"]
    assert by_ht.values(flow=True).sum() == pytest.approx(images.weight.sum())


def test_every_selected_event_is_in_every_histogram(reference: Processed) -> None:
    for result in reference.datasets.values():
        for name, histogram in result.histograms.items():
            if name.endswith("_counts"):
                assert histogram.sum(flow=True) == result.cutflow.selected


@pytest.mark.parametrize(
    ("baselines", "towers"), [((), ()), (("n_tracks", "lit_pixels"), ()), (("hcal_cells",), ("hcalTower",))]
)
def test_only_needed_columns_are_read(
    baselines: tuple[str, ...], towers: tuple[str, ...], datasets: tuple[Dataset, ...], trigger: Trigger
) -> None:
    """A coarse mask shows tracks alone."""
    settings = AnalysisConfig.model_validate({"baselines": baselines})
    found = process_fileset(datasets[:1], trigger, settings, limits=Limits(files=1))
    expected = {f"Track_PUcorr/Track_PUcorr.{member}-data" for member in ("PT", "EtaOuter", "PhiOuter")}
    expected |= {f"{tower}/{tower}.{member}-data" for tower in towers for member in ("ET", "Eta", "Phi")}
    expected |= {f"{collection}_size-offsets" for collection in ("Track_PUcorr", *towers)}
    assert set(found.columns) == expected | {"ScalarHT/ScalarHT.HT-data", "Event/Event.Weight-data"}
    scores = {name for name in found.datasets["qcd"].histograms if name.startswith("score_") and "_by_" not in name}
    assert scores == {f"score_{name}{end}" for name in (*trigger.directions, *baselines) for end in ("", "_counts")}


def test_looking_for_branches_reads_nothing(data: Path) -> None:
    log: list[Any] = []
    with uproot.open(data / "qcd.root") as file:
        factory = NanoEventsFactory.from_root(
            file,
            treepath="Delphes",
            schemaclass=PlainDelphesSchema,
            mode="virtual",
            access_log=log,
            metadata={"filename": "qcd.root"},
        )
        columns = Columns(factory.events())
        assert "Track_PUcorr.EtaOuter" in available_branches(factory.events())
        assert len(columns) == len(list(columns))
        assert not log
        assert columns["ScalarHT.HT"].ndim == 2
    assert {entry.branch for entry in log} == {"ScalarHT/ScalarHT.HT"}


@pytest.mark.parametrize(
    "executor",
    [
        {"kind": "futures", "workers": 2},
        {"kind": "dask", "workers": 1},
        pytest.param({"kind": "futures", "workers": 4}, marks=pytest.mark.slow),
        pytest.param({"kind": "dask", "workers": 2}, marks=pytest.mark.slow),
    ],
)
def test_executors_agree_to_the_last_bit(
    executor: dict[str, Any], datasets: tuple[Dataset, ...], trigger: Trigger, reference: Processed
) -> None:
    found = process_fileset(datasets, trigger, config(chunk_size=40, **executor))
    assert found.columns == reference.columns
    for name, result in reference.datasets.items():
        assert found.datasets[name].cutflow == result.cutflow
        assert found.datasets[name].histograms.keys() == result.histograms.keys()
        for key, histogram in result.histograms.items():
            assert np.array_equal(found.datasets[name].histograms[key].view(flow=True), histogram.view(flow=True))


def test_chunking_changes_no_count(datasets: tuple[Dataset, ...], trigger: Trigger, reference: Processed) -> None:
    found = process_fileset(datasets[:1], trigger, config(chunk_size=25)).datasets["qcd"]
    expected = reference.datasets["qcd"]
    assert found.cutflow == pytest.approx(expected.cutflow)
    for name in ("ht", "n_tracks", "score_lit_pixels", "score_n_tracks_by_ht"):
        counts, expected_counts = found.histograms[f"{name}_counts"], expected.histograms[f"{name}_counts"]
        assert np.array_equal(counts.view(flow=True), expected_counts.view(flow=True))


def test_complementary_splits_share_no_event_and_lose_none(data: Path, trigger: Trigger) -> None:
    parts = [
        process_fileset(single(data / "qcd.root", entries=EntrySplit(modulo=3, keep=keep)), trigger, config())
        for keep in ((0,), (1, 2))
    ]
    whole = process_fileset(single(data / "qcd.root"), trigger, config()).datasets["qcd"]
    part, rest = (processed.datasets["qcd"] for processed in parts)
    assert (part.cutflow.read, rest.cutflow.read) == (16, 32)
    assert part.cutflow.selected + rest.cutflow.selected == whole.cutflow.selected
    counts = [result.histograms["ht_counts"].values(flow=True) for result in (part, rest, whole)]
    np.testing.assert_array_equal(counts[0] + counts[1], counts[2])
    weights = [result.cutflow.sum_of_weights_selected for result in (part, rest, whole)]
    assert weights[0] / 3 + weights[1] * 2 / 3 == pytest.approx(weights[2])
    assert part.histograms["ht"].values(flow=True).sum() == pytest.approx(weights[0])


def test_limits(datasets: tuple[Dataset, ...], trigger: Trigger) -> None:
    one_file = process_fileset(datasets[:1], trigger, config(), limits=Limits(files=1))
    assert one_file.datasets["qcd"].cutflow.read == 48
    two_chunks = process_fileset(datasets[:1], trigger, config(chunk_size=5), limits=Limits(chunks=2))
    assert two_chunks.datasets["qcd"].cutflow.read == 10


def with_branch_changed(source: Path, target: Path, *, bad_event: int | None, drop: str | None = None) -> Path:
    """A small Delphes-like file with the branches that we need, one of them spoilt or left out."""
    with uproot.open(source) as file:
        events = file["Delphes"]
        names = find_branches(events.keys(full_paths=False), BranchOverride(), "x").names()
        arrays = events.arrays(names, library="ak", how=dict)
    import awkward as ak

    collections: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        collection, member = name.split(".")
        if name == drop:
            continue
        if name == "Track_PUcorr.PhiOuter" and bad_event is not None:
            flat = np.array(ak.flatten(array))
            flat[int(ak.num(array)[:bad_event].to_numpy().sum())] = np.nan
            collections.setdefault(collection, {})[member] = ak.unflatten(flat, ak.num(array))
        else:
            collections.setdefault(collection, {})[member] = array
    with uproot.recreate(target) as out:
        out.mktree(
            "Delphes",
            {name: ak.zip(members).type.content for name, members in collections.items()},
            counter_name=lambda name: f"{name}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}",
        )
        out["Delphes"].extend({name: ak.zip(members) for name, members in collections.items()})
    return target


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bad")
    text = folder / "text.root"
    text.write_text("not a ROOT file, but long enough to have a header")
    truncated = folder / "truncated.root"
    truncated.write_bytes((data / "qcd.root").read_bytes()[:100_000])
    return {
        "text": text,
        "truncated": truncated,
        "absent": folder / "absent.root",
        "no_tracks": with_branch_changed(
            data / "qcd.root", folder / "no_tracks.root", bad_event=None, drop="Track_PUcorr.PT"
        ),
        "nan": with_branch_changed(data / "qcd.root", folder / "nan.root", bad_event=30),
    }


@pytest.mark.parametrize(
    ("kind", "error", "cause"),
    [
        ("text", UnreadableFileError, "is not a ROOT file"),
        ("truncated", UnreadableFileError, "is truncated"),
        ("absent", UnreadableFileError, "no such file"),
        ("no_tracks", MissingBranchError, "no branches for the trk image"),
        ("nan", BadValueError, "Track_PUcorr.PhiOuter holds nan"),
    ],
)
def test_a_bad_file_is_one_clear_error(
    kind: str,
    error: type[Exception],
    cause: str,
    bad_files: dict[str, Path],
    trigger: Trigger,
    data: Path,
) -> None:
    files = {str(data / "qcd.root"): "Delphes", str(bad_files[kind]): "Delphes"}
    (dataset,) = single(data / "qcd.root")
    with pytest.raises(error, match=cause) as caught:
        process_fileset([replace(dataset, files=files)], trigger, config())
    assert str(bad_files[kind]) in str(caught.value)


def test_an_error_comes_home_from_a_worker_process(bad_files: dict[str, Path], trigger: Trigger) -> None:
    with pytest.raises(BadValueError, match=r"nan\.root: branch Track_PUcorr\.PhiOuter holds nan"):
        process_fileset(single(bad_files["nan"]), trigger, config(kind="futures"))


def test_bad_files_are_skipped_as_a_whole_and_reported(
    bad_files: dict[str, Path], trigger: Trigger, data: Path
) -> None:
    files = dict.fromkeys([str(bad_files["nan"]), str(data / "qcd.root"), *map(str, bad_files.values())], "Delphes")
    (dataset,) = single(data / "qcd.root")
    found = process_fileset([replace(dataset, files=files)], trigger, config(), skip_bad_files=True)
    alone = process_fileset([dataset], trigger, config())
    assert {bad.path for bad in found.bad_files} == {str(path) for path in bad_files.values()}
    assert all(bad.cause for bad in found.bad_files)
    assert found.datasets["qcd"].cutflow == alone.datasets["qcd"].cutflow


@pytest.mark.parametrize("kind", ["text", "nan"])
def test_a_dataset_of_bad_files_only_is_an_error(kind: str, bad_files: dict[str, Path], trigger: Trigger) -> None:
    with pytest.raises(AnalysisError, match=r"no usable (input )?file"):
        process_fileset(single(bad_files[kind]), trigger, config(), skip_bad_files=True)


def test_a_file_that_vanishes_after_the_scan(
    tmp_path: Path, data: Path, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import analysis.runner as module

    path = tmp_path / "short_lived.root"
    shutil.copy(data / "qcd.root", path)

    def vanish(*args: Any) -> Any:
        path.unlink(missing_ok=True)
        return work_items(*args)

    monkeypatch.setattr(module, "work_items", vanish)
    with pytest.raises(UnreadableFileError, match=r"short_lived\.root: no such file"):
        process_fileset(single(path), trigger, config())


def test_unknown_scores_are_named(datasets: tuple[Dataset, ...], trigger: Trigger) -> None:
    with pytest.raises(AnalysisError, match=r"no score 'bce'.*pixel_sum, forward, emptiness, n_tracks"):
        process_fileset(datasets, trigger, AnalysisConfig(scores=("bce",)))


def test_scheduler_that_does_not_answer(
    datasets: tuple[Dataset, ...], trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darktrigger.executors.dask.SCHEDULER_TIMEOUT", "1s")
    with pytest.raises(ExecutorError, match=r"dask scheduler 'tcp://127\.0\.0\.1:1'"):
        process_fileset(datasets[1:2], trigger, config(kind="dask", scheduler="tcp://127.0.0.1:1"))


def test_stock_card_gives_the_towers_that_images_use(shared: Path, trigger: Trigger) -> None:
    path = shared / "delphes/qcd_stock_nopu.root"
    found = process_fileset(single(path), trigger, config(100), limits=Limits(chunks=1))
    with uproot.open(path) as file:
        events = file["Delphes"]
        branches = find_branches(events.keys(full_paths=False), BranchOverride(), "stock")
        images, _ = build_images(events.arrays(branches.names(), how=dict, entry_stop=100), branches, Selection(), "x")
    assert branches.ecal is not None
    assert branches.ecal.numerator == "Tower.Eem"
    assert "Track/Track.IsPU-data" in found.columns
    counts = found.datasets["qcd"].histograms["score_n_tracks_counts"].values()
    np.testing.assert_array_equal(np.flatnonzero(counts), np.unique(images.n_tracks))
