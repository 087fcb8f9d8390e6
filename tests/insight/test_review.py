"""A person's sitting: the queue, what a decision does, and what it changes afterwards."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.report import Measurement
from mollia_cli.insight.corrections import corrections
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.report import panel_report
from mollia_cli.insight.review import Review, open_labelling, open_review
from mollia_cli.loop.aggregate import aggregate, fit_aggregator
from mollia_cli.loop.needed import fit_items, unlabelled_sample
from mollia_cli.loop.round import finish_round
from mollia_cli.loop.select import rank, select
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest


def confidences(project: Project, review: Review) -> list[float]:
    fit = project.store.verdicts.latest_fit()
    assert fit is not None
    found = project.store.verdicts.confidences(fit.id)
    return [found[item_id] for item_id in review.queue]


def right_label(project: Project, review: Review) -> int:
    assert review.card is not None
    label = project.store.items.get([review.card.item.id])[0].label
    assert label is not None
    return label


def test_the_least_sure_verdicts_come_first(observed: Project) -> None:
    review = open_review(observed)
    assert len(review.queue) == 200
    assert confidences(observed, review) == sorted(confidences(observed, review))
    few = open_review(observed, below=0.7, limit=5)
    assert few.queue == review.queue[:5]
    assert max(confidences(observed, open_review(observed, below=0.7))) < 0.7
    assert not open_review(observed, below=0.0).queue


@pytest.mark.parametrize("strategy", ["disagreement", "random", "seed"])
def test_other_strategies_make_other_queues(observed: Project, strategy: str) -> None:
    queue = open_review(observed, strategy, limit=20).queue
    assert len(set(queue)) == 20
    assert set(queue) <= set(observed.store.items.ids("pool"))
    assert queue != open_review(observed, limit=20).queue


def test_a_strategy_that_does_not_exist_or_needs_a_classifier_says_so(observed: Project) -> None:
    with pytest.raises(InputError, match="no strategy is called 'dubt'"):
        open_review(observed, "dubt")
    with pytest.raises(NotFoundError, match="looks at a trained classifier"):
        open_review(observed, "coreset")


def test_a_card_holds_what_everybody_thinks(observed: Project) -> None:
    card = open_review(observed).card
    assert card is not None and card.verdict is not None
    assert [name for name, _ in card.llms] == ["ada", "bob", "cyd"]
    for _, scores in card.llms:
        assert scores.sum() == pytest.approx(1.0)
    assert card.verdict.confidence == pytest.approx(card.verdict.probabilities.max(), abs=1e-6)
    assert card.decision is None


def test_decisions_are_stored_with_who_and_the_verdict_they_met(observed: Project) -> None:
    review = open_review(observed, who="anna")
    first, second = review.queue[:2]
    card = review.card
    assert card is not None and card.verdict is not None
    review.note("unclear")
    review.label((card.verdict.label + 1) % 4)
    review.ignore()
    with Project.open(observed.root) as other:  # another process sees them at once
        noted, label, ignored = other.store.decisions.all()
    assert (noted.item_id, noted.note) == (first, "unclear")
    assert (label.item_id, label.who, label.verdict) == (first, "anna", card.verdict.label)
    assert label.confidence == pytest.approx(card.verdict.confidence)
    assert label.contradicts
    assert (ignored.item_id, ignored.act) == (second, IGNORE)
    assert review.position == 2
    assert not {first, second} & set(open_review(observed).queue)


def test_undo_goes_back_to_the_item_in_a_later_sitting_too(observed: Project) -> None:
    review = open_review(observed, who="anna")
    first = review.queue[0]
    review.label(0)
    review.skip(5)
    undone = review.undo()
    assert undone is not None and undone.item_id == first
    assert review.position == 0
    assert not observed.store.decisions.labels()
    review.label(1)
    later = open_review(observed, who="anna")
    assert first not in later.queue
    assert open_review(observed, who="ben").undo() is None
    later.undo()
    assert later.card is not None and later.card.item.id == first
    assert not observed.store.decisions.labels()
    assert later.undo() is None


def test_texts_are_found_and_come_next(observed: Project) -> None:
    review = open_review(observed, limit=30)
    review.label(0)
    decided = review.queue[0]
    [text] = [item.text for item in observed.store.items.get([decided])]
    before = list(review.queue)
    assert review.find(text.upper()) >= 1  # what was labelled can be found and labelled anew
    assert review.card is not None and text in review.card.item.text
    assert review.find("no such words") == 0
    assert review.find("  ") == 0
    assert set(before) <= set(review.queue)
    assert len(set(review.queue)) == len(review.queue)


def test_labels_override_verdicts_and_are_learned_from(observed: Project) -> None:
    review = open_review(observed, limit=40)
    before = fit_aggregator(observed)
    for _ in range(20):
        review.label(right_label(observed, review))
    told = observed.store.decisions.labels()
    done = aggregate(observed)
    assert done.fitted.fit.id != before.fit.id
    assert done.fitted.fit.seed_items == 80
    assert done.fitted.fit.pool_items == 180
    verdicts = {verdict.item_id: verdict for verdict in done.verdicts.rows()}
    assert {item_id: verdicts[item_id].label for item_id in told} == told
    assert all(verdicts[item_id].confidence == 1.0 and not verdicts[item_id].negatives for item_id in told)
    rows = {row["id"]: row for row in labelled_rows(observed)}
    names = observed.labels.names
    assert {i: (rows[i]["label"], rows[i]["source"]) for i in told} == {i: (names[k], "human") for i, k in told.items()}
    assert not set(told) & {pick.id for pick in select(observed, "random", 180)}


def test_what_is_ignored_is_nowhere(observed: Project) -> None:
    review = open_review(observed)
    gone = review.queue[0]
    aggregate(observed)
    review.ignore()
    assert gone not in aggregate(observed).verdicts.ids
    assert gone not in {row["id"] for row in labelled_rows(observed)}
    assert gone not in {pick.id for pick in select(observed, "random", 200)}
    assert gone not in {item.id for item in fit_items(observed)}


def test_a_decision_leaves_the_rest_of_the_unlabelled_sample_alone(observed: Project) -> None:
    observed.settings = replace(observed.settings, aggregate=replace(observed.settings.aggregate, unlabelled=50))
    before = unlabelled_sample(observed)
    for act, seed in ((LABEL, False), (LABEL, True), (IGNORE, False)):
        observed.store.decisions.add(Decision(before.pop(), act, "anna", 1 if act == LABEL else None, seed=seed))
        assert unlabelled_sample(observed) == before


def test_what_people_changed_is_reported(observed: Project) -> None:
    assert corrections(observed).labels == 0
    review = open_review(observed, limit=40, who="anna")
    for _ in range(30):
        review.label(right_label(observed, review))
    found = corrections(observed)
    contradicted = sum(decision.contradicts for decision in review.made)
    assert (found.labels, found.by, found.reviewed) == (30, {"anna": 30}, 30)
    assert 0 < found.contradicted == contradicted
    accuracy = found.accuracy
    assert accuracy is not None and accuracy.items == 200
    # every contradiction is a wrong verdict put right
    assert accuracy.with_labels == pytest.approx(accuracy.before + contradicted / 200)
    assert accuracy.after is None
    aggregate(observed)
    again = corrections(observed)
    assert again.accuracy is not None and again.accuracy.after is not None
    assert again.accuracy.after >= accuracy.with_labels - 0.05
    assert again.contradicted == contradicted  # the new verdicts, which know the labels, do not count
    json.dumps(asdict(again))


def test_the_thresholds_precision_is_checked_by_people(observed: Project) -> None:
    review = open_review(observed, "random", limit=60)
    for _ in range(60):
        review.label(right_label(observed, review))
    found = corrections(observed, 0.8).threshold
    assert found is not None
    above = [d for d in review.made if (d.confidence or 0.0) >= found.confidence]
    assert found.reviewed == len(above) > 5
    assert found.precision == pytest.approx(np.mean([not d.contradicts for d in above]))
    assert found.lower <= found.precision <= found.upper
    assert corrections(observed, 0.999999).threshold is None


@pytest.mark.parametrize(
    ("strategy", "below", "found"), [("doubt", None, ""), ("random", 0.9, ""), ("random", None, "text")]
)
def test_what_was_not_drawn_at_random_does_not_check_the_threshold(
    observed: Project, strategy: str, below: float | None, found: str
) -> None:
    review = open_review(observed, strategy, below)
    review.find(found)
    while review.card is not None:
        review.label(right_label(observed, review))
    how = {decision.chosen for decision in review.made}
    assert how == {"search" if found else "doubt" if below is None else "random, below 0.9"}
    above = corrections(observed, 0.7).threshold
    assert above is not None
    assert (above.reviewed, above.precision, above.lower) == (0, None, None)
    assert any((decision.confidence or 0.0) >= above.confidence for decision in review.made)


def test_the_aggregators_own_accuracy_is_still_that_on_the_seeds(observed: Project) -> None:
    _, before, _ = panel_report(observed)
    review = open_review(observed)
    for _ in range(20):
        review.label(right_label(observed, review))
    _, after, people = panel_report(observed)
    assert isinstance(before, Measurement) and isinstance(after, Measurement)
    assert before.on == after.on == "60 seed items (imported, taken as a random sample), cross-fitted"
    assert abs(after.accuracy - before.accuracy) < 0.1
    assert sum(b.n for b in after.reliability) == 60
    assert people.labels == 20


@pytest.fixture
def newcomer(tmp_path: Path) -> Project:
    """A project of 60 texts and nothing else: no label, no LLM."""
    create(tmp_path / "new", new_settings(LabelSet(("red", "green")), panel=[], encoder="all-minilm-l6-v2"))
    source = tmp_path / "pool.txt"
    source.write_text("\n".join(f"a text about {n}" for n in range(60)))
    project = Project.open(tmp_path / "new")
    ingest(project, source, "pool", name="pool.txt")
    return project


def test_a_newcomer_labels_random_items_and_goes_on_where_it_stopped(newcomer: Project) -> None:
    first = open_labelling(newcomer, 10, "anna")
    assert (first.order, len(first.queue)) == ("random", 10)
    assert first.blind
    for k in range(4):
        first.label(k % 2)
    set_aside = first.queue[4]
    first.ignore()
    seeds = newcomer.store.items.in_split("seed", labelled=True)
    assert [(item.id, item.label) for item in seeds] == [(i, k % 2) for k, i in enumerate(first.queue[:4])]
    second = open_labelling(newcomer, 10, "ben")
    assert second.queue[:5] == first.queue[5:]
    assert len(second.queue) == 6  # one more, for the one that was set aside
    assert set_aside not in second.queue
    for _ in second.queue[:]:
        second.label(1)
    with pytest.raises(InputError, match="10 labelled seed items already"):
        open_labelling(newcomer, 10)
    assert len(open_labelling(newcomer, 12).queue) == 2
    first.undo()
    assert len(newcomer.store.items.ids("pool")) == 50
    newcomer.store.close()


def test_seed_items_are_typical_of_what_the_panel_said(observed: Project) -> None:
    labelling = open_labelling(observed, 80)
    assert (labelling.order, len(labelling.queue), len(set(labelling.queue))) == ("seed", 20, 20)
    typical, drawn = labelling.queue[::2], labelling.queue[1::2]
    pool = sorted(observed.store.items.ids("pool"))
    assert typical == [pick.id for pick in rank(observed, "seed", pool, 10)]
    order = [pick.id for pick in rank(observed, "random", pool, 200)]
    assert drawn == [item_id for item_id in order if item_id not in typical][:10]
    for _ in range(5):
        labelling.label(0)
    chosen = observed.store.decisions.seeds_chosen()
    assert chosen == dict.fromkeys(typical[:3], "seed") | dict.fromkeys(drawn[:2], "random")
    again = open_labelling(observed, 80).queue
    assert [i for i in again if i in typical] == typical[3:] and [i for i in again if i in drawn] == drawn[2:]


def test_what_is_set_aside_is_replaced_at_random(observed: Project) -> None:
    order = [pick.id for pick in rank(observed, "random", sorted(observed.store.items.ids("pool")), 200)]
    labelling = open_labelling(observed, 80)
    typical, drawn = labelling.queue[::2], labelling.queue[1::2]
    labelling.ignore()
    labelling.ignore()
    again = open_labelling(observed, 80).queue
    assert set(again) == {*typical[1:], *[i for i in order if i not in typical][1:12]}
    assert set(again) > set(drawn[1:])


def test_more_seeds_are_half_random_again(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET split = 'pool' WHERE split = 'seed'")
    for wanted in (20, 41):
        labelling = open_labelling(observed, wanted)
        while labelling.card is not None:
            labelling.label(right_label(observed, labelling))
        how = list(observed.store.decisions.seeds_chosen().values())
        assert (how.count("seed"), how.count("random")) == (wanted // 2, wanted - wanted // 2)


def test_a_search_among_seeds_to_be_labelled_changes_the_order_alone(observed: Project) -> None:
    labelling = open_labelling(observed, 80)
    drawn, [text] = labelling.queue[3], [i.text for i in observed.store.items.get([labelling.queue[3]])]
    others = [i for i in observed.store.items.ids("pool") if i not in labelling.queue]
    labelling.find("text")
    labelled = {}
    while len(labelled) < 200:
        made = labelling.label(0)
        labelled[made.item_id] = made.chosen
    assert text and labelled[drawn] == "random"
    assert {labelled[i] for i in others} == {"search"}


def test_how_many_are_drawn_at_random_is_said(observed: Project) -> None:
    said: list[str] = []
    observed.say = said.append
    open_labelling(observed, 81)
    assert said[-1].startswith("11 of 21 items are drawn at random, and accuracy is measured on those; the others")


def test_guidelines_are_read_from_the_projects_folder(observed: Project) -> None:
    assert open_review(observed).guidelines == ""
    (observed.root / "guidelines.md").write_text("Red means stop.\n")
    assert open_review(observed).guidelines == "Red means stop."


def test_a_round_trains_on_peoples_labels_and_its_classifier_is_asked(
    make_real_project: Callable[..., Project],
) -> None:
    project = make_real_project()
    pool = project.store.items.ids("pool")
    for item_id in pool[:4]:
        project.store.decisions.add(Decision(item_id, LABEL, "anna", 1))
    project.store.decisions.add(Decision(pool[4], IGNORE, "anna"))
    run, setup = open_run(project, annotator="oracle", strategy="random", rounds=1)
    project.store.runs.start_round(run, 0, [], 0.0)
    project.store.runs.start_round(run, 1, [(item_id, 0.0, None) for item_id in pool[3:6]], 0.0)
    metrics = finish_round(project, run, setup, 1).metrics or {}
    assert (metrics["selected"], metrics["people"]) == (2, 4)
    assert metrics["labelled"] == metrics["trained_on"] == 18 + 4 + 1  # of the selection, one is left

    review = open_review(project, "random", limit=3)
    assert review.has_classifier
    assert review.opinion(review.queue[0]) is None
    unread = review.unread()
    assert [item.id for item in unread] == review.queue
    with ThreadPoolExecutor(1) as another:  # as the screen does, while the store is this thread's
        another.submit(review.read, unread).result()
    opinion = review.opinion(review.queue[0])
    assert opinion is not None and opinion.sum() == pytest.approx(1.0)
    assert not review.unread()
