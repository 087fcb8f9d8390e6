"""Verdicts to review: the least confident ones, and confident ones that are contradicted."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from mollia_cli.aggregators.quality import answers
from mollia_cli.domain.report import Example, Examples
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.insight.report.subject import RunVerdicts, fit_panel, run_verdicts
from mollia_cli.project.context import Project
from mollia_cli.project.observe import stack

SHOWN = 10
TRUE, PERSON, CLASSIFIER = "true label", "a person", "the previous round's classifier"
_LONGEST = 400  # characters of a text that are shown

Against = Mapping[str, tuple[tuple[str, int], ...]]


def examples(project: Project, run: str, texts: bool = True) -> Examples:
    """The least confident verdicts that no person has reviewed, and the most confident that are contradicted.

    NotFoundError where there are no verdicts; without ``texts`` the items are named by id alone.
    """
    found = run_verdicts(project, run)
    given = dict(zip(found.ids, found.labels.tolist(), strict=True))
    reviewed = {i: label for i, label in project.store.decisions.labels().items() if i in given}
    sources = {
        TRUE: project.store.items.known_labels(found.ids),
        PERSON: reviewed,
        CLASSIFIER: {i: label for i, label in found.predictions.items() if i in given},
    }
    contradictions = {i for labels in sources.values() for i, label in labels.items() if label != given[i]}
    against = {
        i: tuple((who, labels[i]) for who, labels in sources.items() if i in labels and labels[i] != given[i])
        for i in contradictions
    }
    by_confidence = [found.ids[row] for row in np.argsort(found.confidence, kind="stable").tolist()]
    least_confident = list(islice((i for i in by_confidence if i not in reviewed), SHOWN))
    contradicted = list(islice((i for i in reversed(by_confidence) if i in against), SHOWN))
    return Examples(
        len(given),
        _shown(project, found, least_confident, against, texts),
        _shown(project, found, contradicted, against, texts),
        tuple(
            (who, sum(label != given[i] for i, label in labels.items()), len(labels))
            for who, labels in sources.items()
            if labels
        ),
    )


def _shown(
    project: Project, found: RunVerdicts, ids: Sequence[str], against: Against, texts: bool
) -> tuple[Example, ...]:
    panel = stack(project, fit_panel(project, found.fit), ids)
    verdicts = {verdict.item_id: verdict for verdict in project.store.verdicts.get(found.fit.id, ids).rows()}
    names = project.labels.names
    given = answers(panel)
    made = []
    for row, item in enumerate(project.store.items.get(ids)):
        verdict = verdicts[item.id]
        second = _second(verdict)
        llms = tuple(
            (llm, names[k] if k >= 0 else None, float(panel.votes[row, column].max()))
            for column, (llm, k) in enumerate(zip(panel.annotators, given[row].tolist(), strict=True))
        )
        text = item.text if len(item.text) <= _LONGEST else f"{item.text[:_LONGEST]}…"
        made.append(
            Example(
                item.id,
                text if texts else None,
                names[verdict.label],
                verdict.confidence,
                names[second],
                float(verdict.probabilities[second]),
                llms,
                tuple((who, names[label]) for who, label in against.get(item.id, ())),
            )
        )
    return tuple(made)


def _second(verdict: Verdict) -> int:
    """The most probable label but the verdict's."""
    others = np.array(verdict.probabilities)
    others[verdict.label] = -1.0
    return int(others.argmax())
