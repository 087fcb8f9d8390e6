"""Verdicts worth a look: the doubtful ones, and sure ones that someone contradicts."""

from collections.abc import Mapping, Sequence

import numpy as np

from mollia_cli.aggregators.quality import answers
from mollia_cli.domain.items import Item
from mollia_cli.domain.report import Example, Examples
from mollia_cli.domain.verdicts import Verdict
from mollia_cli.workflow.annotate import stack
from mollia_cli.workflow.human import person_labels
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.report.subject import Concluded, concluded, fit_panel

SHOWN = 10
TRUE, PERSON, CLASSIFIER = "true label", "a person", "the previous round's classifier"
_LONGEST = 400  # characters of a text that are shown

Against = Mapping[str, tuple[tuple[str, int], ...]]


def examples(project: Project, run: str, texts: bool = True) -> Examples:
    """The least sure verdicts that no person has looked at, and the surest that someone contradicts.

    NotFoundError where there are no verdicts; without ``texts`` the items are named by id alone.
    """
    found = concluded(project, run)
    items = project.store.items.get(list(found.verdicts))
    told = person_labels(project, list(found.verdicts))
    voices = {
        TRUE: {item.id: item.label for item in items if item.label is not None},
        PERSON: told,
        CLASSIFIER: {i: label for i, label in found.opinions.items() if i in found.verdicts},
    }
    against = {
        i: tuple((who, said[i]) for who, said in voices.items() if i in said and said[i] != verdict.label)
        for i, verdict in found.verdicts.items()
    }
    by_confidence = sorted(items, key=lambda item: found.verdicts[item.id].confidence)
    doubtful = [item for item in by_confidence if item.id not in told][:SHOWN]
    contradicted = [item for item in reversed(by_confidence) if against[item.id]][:SHOWN]
    return Examples(
        len(items),
        _shown(project, found, doubtful, against, texts),
        _shown(project, found, contradicted, against, texts),
        tuple(
            (who, sum(label != found.verdicts[i].label for i, label in said.items()), len(said))
            for who, said in voices.items()
            if said
        ),
    )


def _shown(
    project: Project, found: Concluded, items: Sequence[Item], against: Against, texts: bool
) -> tuple[Example, ...]:
    panel = stack(project, fit_panel(project, found.fit), [item.id for item in items])
    names = project.labels.names
    given = answers(panel)
    made = []
    for row, item in enumerate(items):
        verdict = found.verdicts[item.id]
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
                tuple((who, names[label]) for who, label in against[item.id]),
            )
        )
    return tuple(made)


def _second(verdict: Verdict) -> int:
    """The most probable label but the verdict's."""
    others = np.array(verdict.probabilities)
    others[verdict.label] = -1.0
    return int(others.argmax())
