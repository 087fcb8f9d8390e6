"""Which acts of a person go on to the next item."""

from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE
from mollia_cli.insight.review import open_review
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.project.context import Project


def test_a_note_stays_and_a_label_and_ignoring_go_on(observed: Project) -> None:
    aggregate(observed, "vote", observed.store.items.ids("pool")[:5])
    review = open_review(observed, who="anna")
    first, second, third, *_ = review.queue
    for act, do, place in (
        (NOTE, lambda: review.note("why?"), first),
        (LABEL, lambda: review.label(1), second),
        (NOTE, lambda: review.note("hm"), second),
        (IGNORE, review.ignore, third),
    ):
        assert do().act == act
        assert review.queue[review.position] == place
    assert [(d.item_id, d.act) for d in review.made] == [
        (first, NOTE),
        (first, LABEL),
        (second, NOTE),
        (second, IGNORE),
    ]
    assert all(decision.verdict is not None for decision in review.made)
    review.undo()
    assert review.queue[review.position] == second and not observed.store.decisions.ignored()
