"""What leaves the project is what other tools load."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError
from mollia_cli.domain.settings import RunConfig
from mollia_cli.insight.export import export_dataset, export_labels, export_model, labelled_rows
from mollia_cli.insight.predict import Prediction, choose_round, predict
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.round import advance, open_run
from mollia_cli.project.context import Project
from mollia_cli.readers import Record, read

MakeProject = Callable[..., Project]
TEXTS = ("Can I move my visit to Friday?", "Who sent me this invoice?", "results " * 300)


@pytest.fixture
def trained(make_real_project: MakeProject) -> Project:
    """A project whose classifier has learned from the seeds."""
    project = make_real_project()
    run, setup = open_run(project, rounds=0)
    advance(project, run, setup)
    return project


def test_a_model_folder_for_a_transformers_pipeline(trained: Project, tmp_path: Path) -> None:
    from transformers import pipeline

    folder = export_model(trained, choose_round(trained), tmp_path / "model")
    source = tmp_path / "new.txt"
    source.write_text("\n".join(TEXTS))
    own = [p for p in predict(trained, source, choose_round(trained), name="x") if isinstance(p, Prediction)]
    classify = pipeline("text-classification", model=str(folder), top_k=None)
    for theirs, ours in zip(classify(list(TEXTS), truncation=True), own, strict=True):
        scores = {found["label"]: found["score"] for found in theirs}
        assert list(scores) != [] and set(scores) == set(trained.labels.names)
        # ours are computed in bfloat16 where the processor is faster at it
        np.testing.assert_allclose([scores[name] for name in trained.labels.names], ours.probabilities, atol=0.01)
    with pytest.raises(RefusedError, match="exists already"):
        export_model(trained, choose_round(trained), folder)


@pytest.mark.proof
def test_onnx_says_what_torch_says(trained: Project, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = export_model(trained, choose_round(trained), tmp_path / "model", with_onnx=True)
    session = runtime.InferenceSession(folder / "model.onnx")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    for texts in (TEXTS, TEXTS[:1]):
        encoded = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        (logits,) = session.run(["logits"], {name: values.numpy() for name, values in encoded.items()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(**encoded).logits.numpy(), atol=1e-4)


def test_without_onnx_nothing_is_left_behind(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match="needs onnx") as caught:
        export_model(trained, choose_round(trained), tmp_path / "out" / "model", with_onnx=True)
    assert "mollia[onnx]" in caught.value.hint
    assert not list((tmp_path / "out").iterdir())


def test_whose_verdicts_are_written_and_what_is_left_out(observed: Project, tmp_path: Path) -> None:
    said: list[str] = []
    observed.say = said.append
    out, pool = tmp_path / "labels.jsonl", observed.store.items.ids("pool")

    def remark() -> str:
        said.clear()
        export_labels(observed, out)
        (only,) = said
        return only

    assert remark().startswith("no verdict: nothing was aggregated yet")
    aggregate(observed, "vote", pool[:30])
    aggregate(observed, ids=pool[30:50])
    observed.store.decisions.add(Decision(pool[60], LABEL, "anna", 0, chosen="doubt"))
    assert remark() == (
        "verdicts are of the last aggregation alone (conditional_logit, mollia aggregate); 179 of 200 pool items have"
        " none and are left out: mollia annotate --split pool, then mollia aggregate"
    )
    assert len(out.read_text().splitlines()) == 60 + 200 - 179
    aggregate(observed)
    assert remark().endswith("alone (conditional_logit, mollia aggregate); every pool item has one")
    fit = observed.store.verdicts.latest_fit()
    assert fit is not None
    observed.store.runs.put("main", RunConfig.of(observed.settings))
    observed.store.runs.start_round("main", 0, [], 0.0)
    observed.store.runs.update_round("main", 0, fit=fit.id)
    assert "(conditional_logit, run main, round 0)" in remark()
    said.clear()
    export_dataset(observed, tmp_path / "dataset")
    assert "(conditional_logit, run main, round 0)" in said[0]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_dataset_folder(observed: Project, tmp_path: Path, file_format: str) -> None:
    aggregate(observed, ids=observed.store.items.ids("pool")[:20])
    folder = tmp_path / "dataset"
    assert export_dataset(observed, folder, file_format) == {"train": 80}
    assert sorted(path.name for path in folder.rglob("*.*")) == ["README.md", f"train.{file_format}"]
    card = (folder / "README.md").read_text()
    assert f'path: "data/train.{file_format}"' in card and "| train | conditional_logit | 20 |" in card
    if file_format == "jsonl":
        lines = (folder / "data" / "train.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == list(labelled_rows(observed))
    with pytest.raises(RefusedError, match="exists already"):
        export_dataset(observed, folder)


def test_datasets_loads_the_folder(observed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    export_dataset(observed, tmp_path / "dataset")
    loaded = datasets.load_dataset(str(tmp_path / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["label"].names == list(observed.labels.names)
    names = [observed.labels.names[row["label"]] for row in loaded["train"]]
    assert names == [row["label"] for row in labelled_rows(observed)]


def test_labels_come_back_by_import(observed: Project, tmp_path: Path) -> None:
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"labels.{suffix}"
        assert export_labels(observed, path) == 60
        rows = [row for row in read(path) if isinstance(row, Record)]
        assert [(r.id, r.text, r.label) for r in rows] == [
            (r["id"], r["text"], r["label"]) for r in labelled_rows(observed)
        ]


def test_a_missing_model_folder_is_named(trained: Project, tmp_path: Path) -> None:
    chosen = choose_round(trained)
    assert chosen.model is not None
    (trained.root / chosen.model).rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError, match="is missing"):
        export_model(trained, chosen, tmp_path / "model")
    assert not (tmp_path / "model").exists()
