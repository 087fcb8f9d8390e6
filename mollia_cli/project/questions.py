"""A project as its labels' questions see it, where a text may have several labels: so that all else knows of one."""

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.members import ENCODER
from mollia_cli.domain.questions import questions_of
from mollia_cli.project.context import Project
from mollia_cli.project.members import kind_of


def by_question(project: Project) -> list[Project]:
    """The project as each label's yes/no question sees it, in the labels' order; itself alone if a text has one label.

    Raises InputError for a panel member that knows labels, or looks answers up: neither is asked a question.
    """
    if not project.settings.multilabel:
        return [project]
    for spec in project.panel:
        kind = kind_of(spec)
        if kind.certain or (kind.recorded and spec.kind != ENCODER):  # encoders read texts, and are asked nothing
            raise InputError(
                f"{spec.name!r} ({spec.kind}) answers no yes/no question, and this project asks one of every label",
                f"take it out of the panel: mollia panel remove {spec.name}",
            )
    return [project.asking(question) for question in questions_of(project.labels)]
