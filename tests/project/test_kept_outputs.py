"""What a fine-tuned classifier makes of the project's texts is kept, of a run's last round; nobody else's texts are."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.insight.forget import forget
from mollia_cli.insight.runs import delete_run
from mollia_cli.learners import transformer
from mollia_cli.learners.embeddings import EmbeddingStore
from mollia_cli.loop.select import rank
from mollia_cli.project.context import Project
from mollia_cli.project.learner import finished_rounds, kept_outputs, trained_learner


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each pass was over."""
    seen: list[int] = []
    run_all = transformer.run_all

    def counted(model, encoded, *rest):
        seen.append(len(encoded))
        return run_all(model, encoded, *rest)

    monkeypatch.setattr(transformer, "run_all", counted)
    return seen


def mollia(project: Project, *arguments: object) -> None:
    done = CliRunner().invoke(app, [*map(str, arguments), "-p", str(project.root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def stores(project: Project, name: str) -> list[Path]:
    return sorted(path.parent for path in kept_outputs(project, "main").rglob("keys") if path.parent.name == name)


@pytest.mark.proof
def test_a_pool_is_read_once_by_each_classifier(
    make_real_project: Callable[..., Project], reads: list[int], tmp_path: Path
) -> None:
    project = make_real_project()
    mollia(project, "run", "--learner", "transformer", "--annotator", "oracle", "--strategy", "random", "--rounds", 1)
    selected = [one.item_id for one in project.store.runs.selections("main")]
    pool = [item_id for item_id in project.store.items.ids("pool") if item_id not in selected]
    reads.clear()
    badge = rank(project, "badge", pool, 3)
    assert sum(reads) == len(pool) + len(project.store.items.ids("seed")) + len(selected)
    reads.clear()
    assert rank(project, "badge", pool, 3) == badge
    for strategy in ("entropy", "coreset"):
        rank(project, strategy, pool, 3)
    assert reads == []
    [probabilities], [states] = stores(project, "probabilities"), stores(project, "embeddings")
    assert len(list(states.iterdir())) == 2

    # the same texts in a file, with one that is nobody's
    texts = [item.text for item in project.store.items.get(pool[:5])]
    file = tmp_path / "some.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*texts, "a text of nobody"]))
    mollia(project, "predict", file, "--run", "main", "--round", 1)
    assert reads == [1]
    assert EmbeddingStore(probabilities).missing(["a text of nobody", *texts]) == ["a text of nobody"]

    # in single and half precision they are what a learner that keeps nothing gives
    [*_, last] = finished_rounds(project, "main")
    kept = trained_learner(project, last).signals(texts, frozenset({"probabilities", "embeddings"}), 0)
    alone = trained_learner(project, last)
    alone._embeddings = None
    found = alone.signals(texts, frozenset({"probabilities", "embeddings"}), 0)
    assert kept["embeddings"].dtype == np.float16
    np.testing.assert_allclose(kept["probabilities"], found["probabilities"], atol=0.01)
    np.testing.assert_allclose(kept["embeddings"], found["embeddings"], atol=0.03)

    forget(project, [pool[0]])
    for store in (probabilities, states):
        assert EmbeddingStore(store).missing(texts) == [texts[0]]

    # another classifier of the same round is another, and an earlier round's keeps nothing
    first = finished_rounds(project, "main")[0]
    assert first.number != last.number
    reads.clear()
    for _ in range(2):
        trained_learner(project, first).predict_proba(texts)
    assert reads == [5, 5]
    weights = project.root / (last.model or "") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    trained_learner(project, last).predict_proba(texts)
    assert reads == [5, 5, 5]
    delete_run(project, "main")
    assert not kept_outputs(project, "main").exists()
