"""The learner by its name: `mollia run --learner linear` from end to end on a real encoder, and another package's."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubles import TinyLearner
from safetensors.numpy import load_file
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.insight.rerun import rerun
from mollia_cli.learners import frozen
from mollia_cli.learners.embeddings import EmbeddingStore
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.select import rank
from mollia_cli.loop.setup import open_run, planned_run
from mollia_cli.machine.demo import demo_messages
from mollia_cli.project.context import Project
from mollia_cli.project.learner import trained_learner

MakeProject = Callable[..., Project]
StoredOutputs = Callable[[Project], Path]


def mollia(project: Project, *arguments: object, status: int = 0) -> str:
    """What a command prints on standard output."""
    done = CliRunner().invoke(app, [*map(str, arguments), "-p", str(project.root)], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout


@pytest.mark.proof
def test_a_linear_run_from_texts_to_report(
    make_real_project: MakeProject,
    stored_outputs: StoredOutputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_real_project()
    mollia(project, "run", "--learner", "linear", "--rounds", 1, "--strategy", "coreset", "--replay",
           stored_outputs(project))  # fmt: skip
    first, second = project.store.runs.rounds("main")
    assert (first.metrics or {})["validation"] == "6 gold"
    assert [(record.metrics or {})["trained_on"] for record in (first, second)] == [18, 23]
    messages = [message for message in demo_messages() if message["split"] == "test"]  # the project's own are 12
    truth = np.array([project.labels.names.index(message["label"]) for message in messages])
    for record in (first, second):
        said = trained_learner(project, record).predict_proba([message["text"] for message in messages])
        assert micro_f1(truth, said.argmax(axis=1)) > 0.3
    assert planned_run(project, "main")[1].learner.name == "linear"

    # a second round reads no text again: the encoder is not even loaded
    monkeypatch.setattr(frozen, "load_pretrained", None)
    for strategy in ("entropy", "badge", "bemps", "noise_stability"):
        picks = rank(project, strategy, project.store.items.ids("pool")[:20], 3, "main")
        assert len({pick.id for pick in picks}) == 3
    mollia(project, "round")
    monkeypatch.undo()

    texts = tmp_path / "new.txt"
    texts.write_text("Can I move my visit to Friday?\nWho sent me this invoice?\n")
    predicted = [json.loads(line) for line in mollia(project, "predict", texts).splitlines()]
    mollia(project, "export", "model", "--out", tmp_path / "out")
    found = by_hand(tmp_path / "out", texts.read_text().splitlines())
    assert [row["label"] for row in predicted] == [project.labels.names[k] for k in found.argmax(axis=1)]

    card = json.loads(mollia(project, "report", "--json"))["model"]
    assert (card["learner"], card["sha256"] != "") == ("linear", True)
    page = tmp_path / "report.html"
    mollia(project, "report", "-o", page)
    assert "a linear head on all-minilm-l6-v2" in page.read_text()


def by_hand(folder: Path, texts: list[str]) -> np.ndarray:
    """[n, K] logits of an exported folder as docs/exports.md computes them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    body, head = AutoModel.from_pretrained(folder).eval(), load_file(folder / "head.safetensors")
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        layers = torch.stack(body(**tokens, output_hidden_states=True).hidden_states)[1:]  # [6, n, tokens, d]
    mask = tokens["attention_mask"][..., None]
    means = ((layers * mask).sum(2) / mask.sum(1)).numpy()
    thirds = [(means[0] + means[1]) / 2, (means[2] + means[3]) / 2, (means[4] + means[5]) / 2]
    return np.hstack(thirds) @ head["weight"].T + head["bias"]


@pytest.mark.proof
def test_a_linear_run_is_repeated_bit_for_bit_and_estimated(
    make_real_project: MakeProject, stored_outputs: StoredOutputs
) -> None:
    project = make_real_project()
    said = stored_outputs(project)
    before = json.loads(
        mollia(project, "estimate", "--learner", "linear", "--annotator", "oracle", "--rounds", 1, "--json")
    )
    assert [part["name"] for part in before["parts"]] == ["embedding", "training"]
    assert 0 < before["seconds"]["high"] < 60
    project.use_threads(1)
    mollia(project, "run", "--learner", "linear", "--rounds", 1, "--strategy", "random", "--replay", said)
    found = rerun(project, "main")
    assert found.identical, found.differences

    # forgetting takes the text's embedding, too
    forgotten = project.store.runs.selections("main")[0].item_id
    text = project.store.items.get([forgotten])[0].text
    [encoder] = (project.root / "embeddings").iterdir()
    assert EmbeddingStore(encoder).missing([text]) == []
    done = json.loads(mollia(project, "forget", forgotten, "--yes", "--json"))
    assert any(path.startswith("embeddings/") for path in done["files"])
    assert EmbeddingStore(encoder).missing([text]) == [text]


def test_the_learner_is_checked_and_fixed_with_the_run(make_project: MakeProject) -> None:
    project = make_project()
    with pytest.raises(InputError, match="no learner is called 'lineal'") as caught:
        planned_run(project, learner="lineal")
    assert "linear" in caught.value.hint
    run, setup = open_run(project, "a", learner="linear", annotator="oracle")
    assert setup.learner.name == "linear"
    assert setup.learner.epochs == 2  # the project's other settings stay
    assert planned_run(project, run)[1].learner == setup.learner
    with pytest.raises(InputError, match=r"started with learner\.name 'linear', not 'transformer'"):
        open_run(project, "a", learner="transformer")


def test_a_learner_of_another_package_is_chosen_by_its_name(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (info := tmp_path / "site" / "mollia_tiny.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mollia-tiny\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mollia.learners]\ntiny = doubles:TinyLearner\n")
    monkeypatch.syspath_prepend(info.parent)
    project = make_project()
    run, setup = open_run(project, "a", learner="tiny", annotator="oracle", strategy="entropy", rounds=1)
    done = run_rounds(project, run, setup, 1)
    assert type(trained_learner(project, done[1])) is TinyLearner
