"""The whole chain from one config, on real Delphes files."""

import json
import shutil
from pathlib import Path

import onnxruntime
import pyarrow.parquet as pq
import pytest
import uproot
import yaml
from typer.testing import CliRunner

from darktrigger.chain.config import ChainConfig, GeneratedSample
from darktrigger.chain.stages import Chain
from darktrigger.chain.stamps import Stamp
from darktrigger.cli import app
from darktrigger.config import validate
from darktrigger.errors import ConfigError
from imaging.split import EntrySplit

STAGES = ["image qcd", "display qcd", "image suep", "display suep", "train", "export", "evaluate", "analyze"]


def chain_config(data: Path) -> dict[str, object]:
    return {
        "output": "out",
        "fileset": {
            "qcd": [str(data / "qcd.root")],
            "suep": {"files": {str(data / "suep1000.root"): "Delphes"}, "metadata": {"process": "suep", "mass": 1000}},
        },
        "model": {"training": {"epochs": 1, "batch_size": 8}},
        "analysis": {"scores": ["bce", "z1"], "abcd": {"pairs": [["bce", "z1"]], "efficiencies": [0.5]}},
    }


def run_chain(folder: Path, config: dict[str, object]) -> list[str]:
    """Stages that were worked on."""
    (folder / "chain.yaml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["run", str(folder / "chain.yaml"), "-o", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return [line.removesuffix(" ...") for line in result.output.splitlines() if line.endswith(" ...")]


def test_chain_holds_signals_out_of_a_supervised_training(data: Path, tmp_path: Path) -> None:
    config = chain_config(data) | {
        "model": {"family": "cct", "training": {"epochs": 1, "batch_size": 8}},
        "analysis": {"abcd": {"pairs": []}},
        "runtime": "openvino",
    }
    assert run_chain(tmp_path, config) == STAGES
    record = json.loads((tmp_path / "out" / "train" / "run.json").read_text())
    assert len(record["labels"]) == 2
    evaluation = json.loads((tmp_path / "out" / "evaluation" / "evaluation.json").read_text())
    n_trained = record["events"]
    n_images = sum(
        pq.ParquetFile(tmp_path / "out" / "images" / f"{name}.parquet").metadata.num_rows for name in ("qcd", "suep")
    )
    n_evaluated = sum(sample["events"] for sample in evaluation["samples"])
    assert n_trained + n_evaluated == n_images
    summary = json.loads((tmp_path / "out" / "analysis" / "summary.json").read_text())
    assert evaluation["runtime"] == summary["trigger"]["runtime"] == "openvino"
    datasets = summary["datasets"]
    assert sum(datasets[name]["cutflow"][-1]["events"] for name in ("qcd", "suep")) == n_evaluated


@pytest.mark.slow
def test_chain_of_jets(data: Path, tmp_path: Path) -> None:
    config: dict[str, object] = {
        "output": "out",
        "fileset": {
            "qcd": [str(data / "qcd.root")],
            "svj": {"files": [str(data / "svj3100.root")], "metadata": {"process": "svj", "label": 6}},
        },
        "model": {"family": "jet-ae", "training": {"epochs": 1, "batch_size": 8}},
        "analysis": {"jets": {"selection": {"pt_min": 200, "pt_max": 3000}}},
    }
    assert run_chain(tmp_path, config) == [stage.replace("suep", "svj") for stage in STAGES]
    summary = json.loads((tmp_path / "out" / "analysis" / "summary.json").read_text())
    assert set(summary["signals"]["svj"]) == {"energy", "n_tracks", "n_constituents", "jet_mass", "p_t_d"}
    assert summary["datasets"]["svj"]["cutflow"][1]["name"] == "jet 200 to 3000 GeV"
    assert (tmp_path / "out" / "displays" / "qcd_0.png").exists()


def test_chain_runs_once(data: Path, tmp_path: Path) -> None:
    config = chain_config(data)
    assert run_chain(tmp_path, config) == STAGES
    out = tmp_path / "out"
    summary = json.loads((out / "analysis" / "summary.json").read_text())
    # Training took the even entries, the analysis has the others.
    assert summary["datasets"]["qcd"]["events"] == 24
    assert summary["datasets"]["suep"]["events"] == 34
    assert set(summary["signals"]["suep"]) == {"bce", "z1", "n_tracks", "lit_pixels"}
    assert (out / "analysis" / "plots" / "roc_suep.pdf").read_bytes().startswith(b"%PDF")
    properties = onnxruntime.InferenceSession(out / "trigger.onnx").get_modelmeta().custom_metadata_map
    metadata = json.loads(properties["darktrigger"])
    assert metadata["training"]["entries"] == {"modulo": 2, "keep": [0]}
    assert yaml.safe_load((out / "config.yaml").read_text())["seed"] == 42

    assert run_chain(tmp_path, config) == []


@pytest.mark.slow
def test_only_what_has_changed_is_redone(data: Path, tmp_path: Path) -> None:
    config = chain_config(data)
    run_chain(tmp_path, config)
    config["runtime"] = "openvino"
    assert run_chain(tmp_path, config) == ["export", "evaluate", "analyze"]
    out = tmp_path / "out"
    before = (out / "trigger.onnx").read_bytes()
    (out / "images" / "suep.parquet").unlink()
    config["analysis"]["target_tpr"] = 0.5  # type: ignore[index]
    assert run_chain(tmp_path, config) == ["image suep", "evaluate", "analyze"]

    # The same trigger comes out again: what depends on it stays.
    (out / "train" / "last.ckpt").unlink()
    assert run_chain(tmp_path, config) == ["train", "export"]
    assert (out / "trigger.onnx").read_bytes() == before

    config["seed"] = 7
    assert run_chain(tmp_path, config) == ["train", "export", "evaluate", "analyze"]


def test_stamp_follows_content_not_name_or_date(tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("content")
    output.write_text("result")
    stamp = Stamp(tmp_path / "stamp.json", {"a": 1}, [source])
    assert not stamp.started()
    stamp.start()
    assert stamp.started()
    assert not stamp.done()
    stamp.finish([output])
    copy = shutil.copy(source, tmp_path / "copy")
    assert Stamp(tmp_path / "stamp.json", {"a": 1}, [copy]).done()
    assert not Stamp(tmp_path / "stamp.json", {"a": 2}, [source]).started()
    output.write_text("changed")
    assert not stamp.done()


def test_training_and_analysis_share_no_event() -> None:
    config = validate(
        ChainConfig, {"output": "o", "fileset": {}, "model": {"entries": {"modulo": 3, "keep": [1]}}}, "test"
    )
    assert config.model.held_out == EntrySplit(modulo=3, keep=(0, 2))


@pytest.mark.parametrize(
    ("section", "cause"),
    [
        ({"model": {"entries": {"modulo": 2, "keep": [0, 1]}}}, "must leave some events"),
        ({"model": {"training": {"entries": {}}}}, "give entries beside training"),
        ({"analysis": {"selection": {"ht_min": 400}}}, "give selection in imaging"),
        ({"analyses": {}}, "did you mean 'analysis'"),
    ],
)
def test_contradictions_are_refused(section: dict[str, object], cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        validate(ChainConfig, {"output": "o", "fileset": {}} | section, "chain.yaml")


def test_a_fileset_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(
        yaml.safe_dump({"output": str(tmp_path / "o"), "fileset": {"qcd": "qcd.root"}})
    )
    result = CliRunner().invoke(app, ["run", str(tmp_path / "chain.yaml")])
    assert isinstance(result.exception, ConfigError)
    assert "dataset 'qcd'" in str(result.exception)


def test_samples_are_generated_in_files(tmp_path: Path) -> None:
    config = {
        "output": str(tmp_path / "out"),
        "fileset": {"svj": {"generate": {"process": "svj", "events": 5, "files": 2, "settings": {"mass": 2100}}}},
        "generation": {"pileup": {"mean": 0}, "cache": str(tmp_path / "cache")},
    }
    said: list[str] = []
    chain = Chain(validate(ChainConfig, config, "chain.yaml"), tmp_path, said.append)
    (dataset,) = chain.resolve_fileset()
    assert [Path(file).name for file in dataset.files] == ["svj_0.root", "svj_1.root"]
    assert (dataset.metadata.process, dataset.metadata.mass) == ("svj", 2100.0)
    counts, energies = [], []
    for file in dataset.files:
        with uproot.open(file) as root:
            counts.append(root["Delphes"].num_entries)
            energies.append(root["Delphes"]["ScalarHT.HT"].array().to_list()[0])
    assert counts == [2, 3]
    assert energies[0] != energies[1]
    sections = [json.loads(Path(f"{file}.json").read_text())["normalisation"] for file in dataset.files]
    mean = (2 * sections[0]["cross_section"] + 3 * sections[1]["cross_section"]) / 5
    assert dataset.metadata.cross_section == pytest.approx(mean)

    said.clear()
    chain.resolve_fileset()
    assert said == ["generate svj_0: done before", "generate svj_1: done before"]


def test_more_files_than_events_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 events do not fill 3 files"):
        validate(GeneratedSample, {"process": "qcd", "events": 2, "files": 3}, "chain.yaml")


@pytest.mark.parametrize("name", ["../../escaped", "/etc/escaped", "..", "a/b", "a\0b", "x" * 300, ""])
@pytest.mark.parametrize("entry", [["a.root"], {"generate": {"process": "qcd", "events": 1}}])
def test_dataset_names_cannot_leave_the_output_folder(name: str, entry: object, tmp_path: Path) -> None:
    """Files of images and of generated events are named after datasets."""
    config = ChainConfig.model_validate({"output": str(tmp_path / "out"), "fileset": {name: entry}})
    with pytest.raises(ConfigError, match="dataset name"):
        Chain(config, tmp_path, print).run()
    assert [path.name for path in tmp_path.rglob("*")] in (["out", "config.yaml"], ["out"])


@pytest.mark.parametrize("entry", [{"files": [3]}, {"files": ["a.root"], "metadata": "text"}, {"files": "a.root"}, 3])
def test_fileset_of_the_chain_names_what_is_wrong(entry: object, tmp_path: Path) -> None:
    config = ChainConfig.model_validate({"output": str(tmp_path / "out"), "fileset": {"qcd": entry}})
    with pytest.raises(ConfigError, match="dataset 'qcd': expected"):
        Chain(config, tmp_path, print).run()
