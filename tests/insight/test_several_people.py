"""The same items for several people: overlap, agreement, disagreements and who settles them."""

import json
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from mollia_cli.cli.review_view import opinions_on, remark_on
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.people import PairAgreement
from mollia_cli.insight.corrections import corrections, people_agreement
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.review import open_disagreements, open_labelling, open_review
from mollia_cli.loop.select import select
from mollia_cli.project.context import Project
from mollia_cli.reports.people import people_lines


def labelled(project: Project, who: str, *given: tuple[str, int], seed: bool = False) -> None:
    for item_id, label in given:
        project.store.decisions.add(Decision(item_id, LABEL, who, label, seed=seed, chosen="random"))


def test_the_first_items_of_others_come_again_unseen(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    labelled(observed, "anna", *((item_id, 1) for item_id in pool[:5]))
    review = open_review(observed, who="ben", overlap=3)
    assert review.queue[:3] == pool[:3] and not set(review.queue[3:]) & set(pool[:5])
    card = review.card
    assert card is not None and card.decision is None and not card.answers
    assert review.blind and not opinions_on(review, card) and not remark_on(review, card)
    assert review.label(0).chosen == "random"  # labelled again, nothing changes of how the item was drawn
    review.skip(-1)
    assert review.card is not None and remark_on(review, review.card) == f"labelled {observed.labels.names[0]} by ben"
    review.skip(3)
    assert not review.blind
    assert open_review(observed, who="ben", overlap=3).queue[:2] == pool[1:3]  # it goes on where it was
    assert open_review(observed, who="cleo", overlap=3).queue[:3] == pool[:3]  # third people get the same
    with pytest.raises(InputError, match="nobody but anna has labelled an item of the pool"):
        open_review(observed, who="anna", overlap=3)


def test_seed_items_come_again_although_there_are_enough_of_them(observed: Project) -> None:
    have, pool = len(observed.store.items.ids("seed")), observed.store.items.ids("pool")
    labelled(observed, "anna", *((item_id, 1) for item_id in pool[:4]), seed=True)
    with pytest.raises(InputError, match=f"has {have + 4} labelled seed items already"):
        open_labelling(observed, have + 4, "ben")
    review = open_labelling(observed, have + 4, "ben", overlap=2)
    assert review.queue == pool[:2]
    review.label(1)
    review.label(0)
    assert review.disagreements == 1
    assert set(pool[:4]) - set(observed.store.items.ids("seed")) == {pool[1]}
    more = open_labelling(observed, have + 5, "ben", overlap=4)
    assert more.queue[:2] == pool[2:4] and len(more.queue) == 4 and pool[1] not in more.queue


def test_what_people_disagree_on_is_listed_and_settled_by_name(observed: Project) -> None:
    names, pool = observed.labels.names, observed.store.items.ids("pool")
    labelled(observed, "anna", (pool[0], 0), (pool[1], 1), (pool[2], 2))
    labelled(observed, "ben", (pool[1], 2), (pool[2], 2))
    assert pool[1] not in open_review(observed, who="cleo").queue
    assert pool[1] not in {pick.id for pick in select(observed, "random", 200)}
    review = open_disagreements(observed, who="cleo")
    assert review.queue == [pool[1]] and review.card is not None
    assert remark_on(review, review.card) == f"labelled {names[1]} by anna · labelled {names[2]} by ben"
    assert review.label(1).adjudicates
    review.skip(-1)
    assert remark_on(review, review.card) == (
        f"labelled {names[1]} by cleo, who adjudicated · labelled {names[2]} by ben"
    )
    assert not open_disagreements(observed, who="cleo").queue
    rows = {row["id"]: (row["label"], row["who"]) for row in labelled_rows(observed) if row["source"] == "human"}
    assert rows == {pool[0]: (names[0], "anna"), pool[1]: (names[1], "cleo"), pool[2]: (names[2], "anna, ben")}
    review.undo()
    assert open_disagreements(observed).queue == [pool[1]]


def test_agreement_of_people_by_hand(observed: Project) -> None:
    """Cohen 1960 by hand: of 4 items 3 alike, by chance (2*1 + 2*3) / 16 = .5, so that kappa is .5."""
    pool = observed.store.items.ids("pool")
    assert people_agreement(observed) is None
    labelled(observed, "anna", *zip(pool[:6], (0, 0, 1, 1, 2, 2), strict=True))
    assert people_agreement(observed) is None
    labelled(observed, "ben", *zip(pool[:4], (0, 1, 1, 1), strict=True))
    found = people_agreement(observed)
    assert found is not None and found.items == 4
    assert found.pairs == (PairAgreement("anna", "ben", 4, 0.75, pytest.approx(0.5)),)
    # 4 items, 8 answers (3 and 5): disagreeing pairs 2 / (2 * 3 * 5 / 7)
    assert found.krippendorff_alpha == pytest.approx(1 - 2 / (30 / 7))
    people = corrections(observed)
    assert (people.labels, people.by, people.disagreements) == (5, {"anna": 6, "ben": 4}, 1)
    lines = list(people_lines(people))
    assert "  anna and ben gave 75% of 4 items the same label: Cohen's kappa 0.500 (agreement beyond chance)" in lines
    assert any("1 item that people disagree on" in line for line in lines)


def test_two_people_and_who_settles_it_on_the_command_line(observed: Project) -> None:
    def mollia(*arguments: str, answers: str = "") -> tuple[str, str]:
        command = [executable, "-m", "mollia_cli", *arguments, "--project", str(observed.root)]
        done = run(command, input=answers, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        return done.stdout, done.stderr

    pool = observed.store.items.ids("pool")
    labelled(observed, "anna", (pool[0], 0), (pool[1], 1))
    plain = ("review", "--plain", "--strategy", "random", "--overlap", "2", "--who", "ben", "-n", "2")
    made, said = mollia(*plain, answers="1\n1\n")
    assert [json.loads(line)["id"] for line in made.splitlines()] == pool[:2]
    assert "anna" not in said
    assert "people disagree on 1 item of these now: mollia review --disagreements" in said
    made, said = mollia("review", "--plain", "--disagreements", "--who", "cleo", answers="2\n")
    assert json.loads(made)["adjudicates"] is True and "by anna" in said
    status, _ = mollia("status")
    assert "anna and ben gave 50% of 2 items the same label" in status and "settled by cleo 1" in status
