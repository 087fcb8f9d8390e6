"""``mollia evaluate``: nobody is measured on labels that were learned from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from doubles import TinyLearner, stand_in

from mollia_cli.aggregators.quality import wilson
from mollia_cli.cli.rounds import round_cells
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.members import ENCODER, MemberSpec
from mollia_cli.domain.observations import Texts
from mollia_cli.domain.report import LLMsAdd, Measurement
from mollia_cli.insight import evaluate
from mollia_cli.insight.evaluate import evaluate_panel
from mollia_cli.insight.report import report
from mollia_cli.insight.report.measurements import verdicts_on_seeds
from mollia_cli.learners import LEARNERS
from mollia_cli.loop import aggregate
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project
from mollia_cli.project.observe import members
from mollia_cli.store.runs import Round


class Remembering(TinyLearner):
    """Knows the texts that it was fitted on, and of others their true label by ``truth``, so often as ``right``."""

    truth: dict[str, int]
    right: float

    def fit(self, examples: Any, *_: Any, **__: Any) -> Any:
        self._known = dict(zip(examples.texts, examples.targets.tolist(), strict=True))
        assert examples.gold_rows.all()  # of no verdict
        return super().fit(examples, *_, **__)

    def predict_proba(self, texts: Sequence[str], progress: Any = None) -> Any:
        rng = np.random.default_rng(0)
        guesses = [self.truth[t] if rng.random() < self.right else (self.truth[t] + 1) % 4 for t in texts]
        assert not self._known.keys() & set(texts)  # nobody is measured on what was learned from
        return np.eye(4)[guesses]


@pytest.fixture(autouse=True)
def linear(monkeypatch: pytest.MonkeyPatch, observed: Project) -> type[Remembering]:
    """The linear learner of this test."""
    truth = {item.text: item.label for split in ("seed", "pool") for item in observed.store.items.in_split(split)}
    double = type("Remembering", (Remembering,), {"truth": truth, "right": 0.3})
    stand_in(monkeypatch, LEARNERS, "linear", double)
    return double


BASELINE = "labels alone (linear, all-minilm-l6-v2)"
ADD_NOTHING = "the LLMs add nothing here that can be measured"


@pytest.mark.parametrize("right", [0.3, 1.0])
def test_the_labels_alone_are_measured_beside_them(observed: Project, linear: type[Remembering], right: float) -> None:
    said: list[str] = []
    observed.say = said.append
    linear.right = right
    found = {
        row.name: row for row in evaluate_panel(observed, "seed", aggregators=["mean_logits", "conditional_logit"])
    }
    assert (found[BASELINE].kind, found[BASELINE].items) == ("baseline", 60)
    assert abs(found[BASELINE].accuracy - right) < 0.15
    assert found[BASELINE].lower is not None
    # with .3 the LLMs are far better; they cannot be where the labels alone are always right
    remarks = [remark for remark in said if remark.startswith(ADD_NOTHING)]
    assert len(remarks) == (right == 1.0)
    assert (
        not remarks or f"the accuracy of the verdicts of conditional_logit less that of {BASELINE} is -0." in remarks[0]
    )


def test_the_verdicts_are_compared_and_not_the_classifier(
    observed: Project, linear: type[Remembering], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A perfect classifier says nothing of the LLMs where the labels alone do as well without them."""
    for item_id in observed.store.items.ids("pool")[:40]:
        observed.store._db.execute("UPDATE items SET split = 'test' WHERE id = ?", [item_id])
    items = {item.text: item.label for item in observed.store.items.in_split("test")}

    class Perfect:
        def predict_proba(self, texts: Sequence[str], progress: Any = None) -> Any:
            return np.eye(4)[[items[text] for text in texts]]

    monkeypatch.setattr(evaluate, "finished_rounds", lambda project, run: [Round("main", 0)])
    monkeypatch.setattr(evaluate, "best_round", lambda project, run: Round("main", 0))
    monkeypatch.setattr(evaluate, "trained_learner", lambda project, record: Perfect())
    said: list[str] = []
    observed.say = said.append
    linear.right = 1.0
    rows = {row.kind: row for row in evaluate_panel(observed, "test", aggregators=["conditional_logit"])}
    assert rows["classifier"].accuracy == rows["baseline"].accuracy == 1.0
    (remark,) = [remark for remark in said if remark.startswith(ADD_NOTHING)]
    lost = rows["aggregator"].accuracy - 1.0
    assert f"of the verdicts of conditional_logit less that of {BASELINE} is {lost:+.3f}" in remark


@pytest.fixture
def mixed(observed: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Item], Any]], Project]:
    """The project with the mixture, and one encoder whose embeddings [1, d] of the texts a test makes."""
    settings = observed.settings
    members = (*settings.panel.members, MemberSpec("mini", ENCODER))
    observed.settings = replace(
        settings,
        panel=replace(settings.panel, members=members),
        aggregate=replace(settings.aggregate, aggregator="mixture"),
    )

    def embed(made: Callable[[Item], Any]) -> Project:
        rows = {item.id: made(item) for split in ("seed", "pool") for item in observed.store.items.in_split(split)}
        texts = Texts(("mini",), lambda name, ids: np.array([rows[item_id] for item_id in ids]))
        monkeypatch.setattr(annotation, "panel_texts", lambda project: texts)
        monkeypatch.setattr(aggregate, "encoder_digests", lambda project: {})
        return observed

    return embed


@pytest.mark.proof
@pytest.mark.parametrize("telling", [True, False])
def test_a_mixture_is_compared_with_itself_without_llms(
    mixed: Callable[[Callable[[Item], Any]], Project], linear: type[Remembering], telling: bool
) -> None:
    """Where the encoder tells the labels, the LLMs add nothing; where it tells nothing, they are all there is."""
    rng = np.random.default_rng(0)
    project = mixed(lambda item: rng.normal(0.0, 0.1, (1, 4)) + telling * np.eye(4)[item.label or 0])
    for split in ("pool", "seed"):
        said: list[str] = []
        project.say = said.append
        found = {row.name: row for row in evaluate_panel(project, split, 60, aggregators=["mixture"])}
        alone, both = found["mixture without the LLMs"], found["mixture"]
        assert (alone.kind, alone.items) == ("baseline", 60)
        assert alone.accuracy > 0.95 if telling else alone.accuracy < 0.5 < both.accuracy
        remarks = [remark for remark in said if remark.startswith(ADD_NOTHING)]
        assert len(remarks) == telling
        assert not telling or "the verdicts of mixture less that of mixture without the LLMs is" in remarks[0]
    adds = report(project).llms_add
    assert isinstance(adds, LLMsAdd) and adds.lower is not None
    assert (adds.who, adds.than) == ("the verdicts of mixture", "mixture without the LLMs")
    assert adds.on == "60 seed items, cross-fitted" and (adds.lower > 0) != telling


def test_labels_that_people_gave_are_learned_from_and_not_measured_on(
    observed: Project, linear: type[Remembering]
) -> None:
    pool = observed.store.items.in_split("pool")
    for item in pool[:10]:
        observed.store.decisions.add(Decision(item.id, LABEL, "anna", item.label, chosen="doubt"))
    # predict_proba of the double fails where it was fitted on what it predicts
    (row,) = [row for row in evaluate_panel(observed, "pool", 20, ["vote"]) if row.kind == "baseline"]
    assert row.items == 20


def test_without_the_encoder_the_row_is_left_out_and_said_so(observed: Project) -> None:
    said: list[str] = []
    observed.say = said.append
    settings = observed.settings
    observed.settings = replace(settings, learner=replace(settings.learner, encoder="not-installed"))
    assert {row.kind for row in evaluate_panel(observed, "seed", aggregators=["vote"])} == {"llm", "aggregator"}
    assert [remark for remark in said if remark.startswith("labels alone (linear, not-installed): not measured")]


def test_the_seeds_are_cross_fitted(observed: Project) -> None:
    said: list[str] = []
    observed.say = said.append
    rows = {row.name: row for row in evaluate_panel(observed, "seed")}
    assert {row.items for row in rows.values()} == {60}
    assert rows["molam"].accuracy < 0.95  # 1.000 in-sample
    for name in ("molam", "conditional_logit", "vote"):
        panel = verdicts_on_seeds(observed, members(observed), name)
        assert isinstance(panel, Measurement)
        assert abs(rows[name].accuracy - panel.accuracy) < 0.1
        lower = rows[name].lower
        assert lower is not None and lower < rows[name].accuracy
    assert "measured on 60 seed items (imported, taken as a random sample)" in said
    assert any(remark.startswith("aggregators that learn are cross-fitted on 60 of 60 items") for remark in said)


def test_an_item_has_no_say_in_its_own_verdict(observed: Project) -> None:
    """With every label of the pool changed by a person, the verdicts that are measured stay good."""
    pool = observed.store.items.in_split("pool")
    for item in pool[:10]:
        assert item.label is not None
        observed.store.decisions.add(Decision(item.id, LABEL, "anna", (item.label + 1) % 4, chosen="doubt"))
    found = {row.name: row for row in evaluate_panel(observed, "pool", limit=10, aggregators=["molam"])}
    assert found["molam"].accuracy > 0.3  # 0.0 where it repeats what it was told


def test_of_few_items_there_is_no_interval(observed: Project) -> None:
    few, many = (evaluate_panel(observed, "pool", n, ["vote"])[3] for n in (9, 10))
    assert (few.lower, few.upper) == (None, None)
    assert (many.lower, many.upper) == wilson(round(10 * many.accuracy), 10)


def test_typical_seeds_are_not_measured_on(observed: Project) -> None:
    store = observed.store
    ids = store.items.ids("seed")
    for item in store.items.get(ids[:20]):
        store._db.execute("UPDATE items SET split = 'pool' WHERE id = ?", [item.id])
        store.decisions.add(Decision(item.id, LABEL, "anna", item.label, seed=True, chosen="seed"))
    assert evaluate_panel(observed, "seed", aggregators=["vote"])[-1].items == 40
    store._db.execute("UPDATE items SET label = NULL WHERE split = 'seed' AND id NOT IN (SELECT item FROM decisions)")
    with pytest.raises(InputError, match="drawn at random"):
        evaluate_panel(observed, "seed")


def test_few_right_verdicts_are_counted() -> None:
    record = Round("main", 1, metrics={"labelled": 3})
    right = {"verdict_accuracy": 1.0, "verdicts_known": 3, "verdict_lower": None, "verdict_upper": None}
    assert round_cells(replace(record, metrics={"labelled": 3} | right))[2] == "3/3"
    more = right | {"verdicts_known": 10, "verdict_lower": 0.7225, "verdict_upper": 1.0}
    assert round_cells(replace(record, metrics={"labelled": 10} | more))[2] == "1.000 (0.723 to 1.000)"
    assert round_cells(record)[2] is None
