"""``mollia explain``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mollia_cli.cli.common import JsonOption, ProjectOption, RunOption, emit, emit_json, open_project, table
from mollia_cli.domain.printable import printable

if TYPE_CHECKING:
    from mollia_cli.insight.explain import Explanation, Observed

_SHORT = 12  # digits of a digest that people compare by eye


def explain(
    item_id: Annotated[str, typer.Argument(metavar="ID", help="The item's id.")],
    run: RunOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trace an item's label: who gave which label, when, and by which model, prompt and settings.

    Also: the verdict of each aggregator and round, why the item was picked, what people decided, what
    the classifier predicts now, and the journal's entries. Digests are cut; --json has them whole.

    Example: mollia explain 3fa2b8c1d4e5f607 --json | jq .verdicts
    """
    from mollia_cli.insight.explain import explain as trace

    with open_project(project) as opened:
        found = trace(opened, item_id, run)
    if as_json:
        emit_json(asdict(found))
        return
    known = f", true label {found.true_label}" if found.true_label else ""
    emit(printable(f"{found.id} ({found.split}, from {found.source}, {found.imported_at}{known})"))
    emit(printable(found.text))
    emit(printable(f"label: {found.label}, by {found.because}") if found.label else "label: none yet")
    for title, rows in _tables(found).items():
        if rows:
            table(list(rows[0]), [list(row.values()) for row in rows], title)
    for entry in found.journal:
        emit(
            printable(
                f"journal {entry['seq']} {entry['at']} {entry['verb']}: {entry['table']} {entry['hash'][:_SHORT]}"
            )
        )


def _tables(found: "Explanation") -> dict[str, list[dict[str, Any]]]:
    """Rows by title; a row's keys are the columns."""
    return {
        "LLMs": [_observed(observation) for observation in found.observations],
        "verdicts": [
            {
                **{"aggregator": row["aggregator"], "label": row["label"], "confidence": row["confidence"]},
                **{"not": row["negatives"], "fit": row["digest"][:_SHORT], "when": row["at"]},
                "used in": ", ".join(f"{used['run']} {used['round']}" for used in row["rounds"]),
            }
            for row in found.verdicts
        ],
        "picked": [
            {
                **{"run": row["run"], "round": row["round"], "strategy": row["strategy"], "score": row["score"]},
                **{"rank": f"{row['rank'] + 1} of {row['batch']}", "classifier predicted": row["opinion"]},
                "when": row["at"],
            }
            for row in found.selections
        ],
        "people": [
            {
                **{"who": row["who"], "did": "adjudicate" if row["adjudicates"] else row["act"]},
                **{"label": row["label"], "note": row["note"]},
                **{"saw": row["verdict"], "when": row["at"], "taken back": row["undone_at"]},
            }
            for row in found.decisions
        ],
        "the classifier now": [
            {"run": best.run, "round": best.round, "label": best.label, "p": best.confidence}
            for best in [found.classifier]
            if best
        ],
    }


def _observed(one: "Observed") -> dict[str, Any]:
    return {
        **{"LLM": one.annotator, "label": one.label, "p": max(one.probabilities.values(), default=None)},
        **{"mass": one.mass, "votes": (one.decoding or {}).get("votes"), "model": (one.model or "")[:_SHORT]},
        **{"prompt": (one.prompt or "")[:_SHORT], "when": one.at or f"after {one.first_used}"},
    }
