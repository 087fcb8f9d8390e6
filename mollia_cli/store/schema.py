"""What the tables and views of a project's database mean, for people who read them by SQL.

``python -m mollia_cli.store.schema > docs/database.md`` writes the reference; a test compares both with the
schema itself.
"""

from dataclasses import dataclass

_JSON_ARRAY = "JSON array in the label set's order"
_ITEM = "`items.id`"


_DECISION = {
    "act": "`label`, `ignore` or `note`",
    "label": "the label given, or null",
    "note": "the note, or empty",
    "seed": "1 if it made the item a seed item",
    "chosen": "how the item came before the person: `random`, another query strategy, `search`; empty in a run",
    "fit": "`fits.id` of the verdict that the person saw, or null",
    "verdict": "that verdict's label",
    "confidence": "that verdict's confidence",
    "known": "the label that the item came with, or null",
    "who": "the person's name",
    "made_at": "UTC, ISO 8601",
    "undone_at": "when it was taken back, or null",
}


_OBSERVED = {
    "log_probs": f"{_JSON_ARRAY}: natural log of each whole label's probability; -10000 for none",
    "votes": f"{_JSON_ARRAY}: share of the answers that were it",
    "mass": "probability on all labels together",
    "invalid": "share of the answers that were no label",
    "slack": "upper bound of the probability that pruning left out of `mass`",
    "answers": "JSON array: answers that were no label, where they were decoded",
    "tokens": "tokens decoded for this item",
    "truncated": "1 if the text was cut to fit the context",
    "seconds": "its share of the batch's time",
    "memory": "bytes that the LLM had added to the process at most by then; null where it cannot be told",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view. ``columns``: name -> meaning, in their order."""

    about: str
    columns: dict[str, str]


_VIEWS = {
    "labelled_items": Table(
        "Every label there is: gold seeds, then the pool as people or else the last aggregation labelled it."
        " The same rows as `mollia export labels`.",
        {
            "id": _ITEM,
            "text": "the text",
            "label": "the label's name",
            "confidence": "0 to 1; 1 for gold and human labels",
            "source": "`gold`, `human` or the aggregator's name",
            "negatives": "JSON array: names of the labels that it is not (Eq. 5)",
        },
    ),
    "annotator_answers": Table(
        "What each annotator said of each item, in words.",
        {
            "item": _ITEM,
            "text": "the text",
            "split": "`items.split`",
            "annotator": "the LLM's name",
            "kind": "`gguf` (an LLM) or `replay` (stored outputs)",
            "label": "its most probable label; null for a label set from before this view",
            "log_prob": "natural log of that label's probability, whole label string",
            "vote_share": "share of its answers that were that label",
            "mass": "probability on all labels together",
            "invalid": "share of its answers that were no label",
            "answers": "JSON array: those answers, where they were decoded",
            "true_label": "the item's known label, or null",
            "is_right": "1 or 0; null where no true label is known",
            "tokens": "tokens decoded for this item",
            "seconds": "its share of the batch's time; null where it was not measured",
        },
    ),
    "current_verdicts": Table(
        "The verdicts of the last aggregation.",
        {
            "item": _ITEM,
            "text": "the text",
            "label": "the label concluded (y+)",
            "confidence": "its calibrated probability",
            "negatives": "JSON array: names of the labels that it is not (y-, Eq. 5)",
            "aggregator": "the aggregator's name",
            "true_label": "the item's known label, or null",
            "is_right": "1 or 0; null where no true label is known",
        },
    ),
    "round_results": Table(
        "One row for each round of each run, with what was measured.",
        {
            "run": "`runs.name`",
            "round": "0 trains on the seed set alone",
            "strategy": "the run's query strategy",
            "annotator": "who labelled: panel, replay, human or oracle",
            "aggregator": "the run's aggregator",
            "labelled": "items that the classifier was trained on",
            "verdict_accuracy": "share of right verdicts, where true labels of the pool are known",
            "validation_f1": "micro-F1 on the validation items",
            "test_micro_f1": "micro-F1 on the test items",
            "test_macro_f1": "macro-F1 on the test items",
            "seconds": "wall-clock of all steps",
            "memory": "`rounds.memory`",
            "model": "`rounds.model`",
            "started_at": "UTC, ISO 8601",
            "finished_at": "UTC, ISO 8601; null while the round is unfinished",
        },
    ),
    "standing_decisions": Table(
        "Of each item that people have decided on, the decision that holds.",
        {
            "id": "`decisions.id`",
            "item": _ITEM,
            **_DECISION,
        },
    ),
    "annotator_costs": Table(
        "What each annotator has done so far.",
        {
            "annotator": "its name; once for each identity (another prompt is another annotator)",
            "items": "items observed",
            "mass": "mean probability on the labels",
            "invalid": "mean share of answers that were no label",
            "tokens": "tokens decoded",
            "seconds": "wall-clock, where it was measured",
            "memory": "bytes that it added to the process at most, its weights and cache included",
            "truncated": "texts that were cut to fit the context",
            "created_at": "first use; UTC, ISO 8601",
            "key": "`annotators.key`",
        },
    ),
}

_BASE = {
    "items": Table(
        "The texts.",
        {
            "position": "order of import",
            "id": "your own id, or 16 digits of the text's SHA-256",
            "text": "the text",
            "text_digest": "SHA-256 of the text",
            "split": "`pool`, `seed`, `validation` or `test`",
            "label": "the known (gold) label's name, or null; of pool items for evaluation only",
            "source": "the file that it came from",
            "imported_at": "UTC, ISO 8601",
        },
    ),
    "label_sets": Table(
        "The label sets that the project has had; JSON arrays elsewhere follow their order.",
        {
            "digest": "identity of the set: names, order, descriptions",
            "position": "0, 1, ...",
            "name": "the label",
            "description": "what it means, as in mollia.toml",
        },
    ),
    "annotators": Table(
        "Who observed: an LLM with its prompt and decoding, stored outputs, or a person.",
        {
            "key": "digest of `identity`",
            "name": "what it is called",
            "identity": "JSON: everything that its observations depend on",
            "created_at": "first use; UTC, ISO 8601",
        },
    ),
    "observations": Table(
        "What one annotator said of one item.",
        {
            "annotator": "`annotators.key`",
            "item": _ITEM,
            **_OBSERVED,
        },
    ),
    "fits": Table(
        "Fitted aggregators.",
        {
            "id": "number",
            "digest": "digest of everything that the fit and its verdicts depend on: mollia's version, the aggregator's"
            " settings, Eq. 5's rule, the panel, labels, items",
            "aggregator": "its name",
            "panel": "JSON array of `annotators.key`",
            "seed_items": "labelled items that it learned from",
            "pool_items": "unlabelled items that it learned from",
            "state": "JSON: what it has learned",
            "created_at": "UTC, ISO 8601",
            "calibration": "JSON: temperature and reliability, or null",
            "concluded": "the fit that verdicts were made by last has the highest",
        },
    ),
    "verdicts": Table(
        "What each fit concluded of each item. Rows are added only.",
        {
            "fit": "`fits.id`",
            "item": _ITEM,
            "label": "the label concluded (y+)",
            "confidence": "its calibrated probability",
            "probabilities": _JSON_ARRAY,
            "negatives": "JSON array: names of the labels that it is not (y-, Eq. 5)",
        },
    ),
    "runs": Table(
        "Runs of active learning.",
        {
            "name": "the run's name",
            "settings": "JSON: fixed when the run was opened",
            "created_at": "UTC, ISO 8601",
            "used_at": "UTC, ISO 8601, with a counter; the highest is the current run",
            "stopped": "why it ended before its number of rounds; null while it has not",
            "record": "JSON: what it takes to repeat it (`mollia rerun`): settings file, prompt, digests, versions",
        },
    ),
    "rounds": Table(
        "Rounds of the runs.",
        {
            "run": "`runs.name`",
            "round": "0, 1, ...",
            "fit": "`fits.id` that its verdicts are from",
            "model": "the trained model's folder, within the project",
            "metrics": "JSON: what was measured; null until the round is finished",
            "seconds": "JSON: wall-clock by step",
            "started_at": "UTC, ISO 8601",
            "finished_at": "UTC, ISO 8601",
            "memory": "bytes: the process's peak while it trained, without LLMs that were kept loaded",
        },
    ),
    "decisions": Table(
        "What people said of items. Rows are added only; `standing_decisions` says what holds.",
        {
            "id": "number, in their order",
            "item": _ITEM,
            **_DECISION,
        },
    ),
    "selections": Table(
        "Items that the rounds selected.",
        {
            "run": "`runs.name`",
            "round": "`rounds.round`",
            "item": _ITEM,
            "rank": "0 was picked first",
            "score": "the query strategy's score",
            "opinion": "what the previous round's classifier said, before it was trained on the item",
        },
    ),
    "opinions": Table(
        "What the classifiers of runs with a stopping criterion say of the stop set.",
        {
            "run": "`runs.name`",
            "round": "`rounds.round`",
            "item": _ITEM,
            "probabilities": _JSON_ARRAY,
        },
    ),
    "synthetic": Table(
        "Texts that LLMs wrote (`mollia generate`); never in a split.",
        {
            "position": "order of writing",
            "id": "16 digits of the text's SHA-256",
            "text": "the text",
            "text_digest": "SHA-256 of the text",
            "label": "the label that was asked for",
            "writer": "the LLM's name",
            "recipe": "JSON: everything that the text depends on",
            "created_at": "UTC, ISO 8601",
        },
    ),
    "variants": Table(
        "Texts made from items for the aggregators `da` and `pag` to learn from; never in a split.",
        {
            "id": "the item's id, `~`, kind and number",
            "item": _ITEM,
            "kind": "`words` (words changed at random) or `paraphrase` (written by an LLM)",
            "number": "0, 1, ...",
            "text": "the text",
            "usable": "0 where it is empty, cut off, far too long or nothing new; the panel does not read it then",
            "recipe": "JSON: everything that the text depends on",
            "created_at": "UTC, ISO 8601",
        },
    ),
    "variant_observations": Table(
        "What one annotator said of one variant; apart from `observations`, so that none is counted.",
        {
            "annotator": "`annotators.key`",
            "item": "`variants.id`",
            **_OBSERVED,
        },
    ),
    "journal": Table(
        "What was written when, as a chain of digests (`mollia verify`): one entry for each batch. Only added to.",
        {
            "seq": "1, 2, ...",
            "at": "UTC, ISO 8601",
            "verb": "what mollia did: `import`, `annotate`, `decide`, ...; `adopt`: the rows were there before",
            "what": "the tables, with commas",
            "count": "rows that were added, changed or removed",
            "digest": "SHA-256 over the rows' digests, before and after",
            "previous": "the previous entry's `hash`; empty in the first",
            "hash": "SHA-256 over the columns above",
            "rows": "zlib: JSON array of [table, key, digest before, digest after]; the keys of forgotten rows are []",
        },
    ),
}

TABLES = _VIEWS | _BASE
"""By name, the views first."""


def is_view(name: str) -> bool:
    """Whether a name of TABLES is a view."""
    return name in _VIEWS


def reference() -> str:
    """docs/database.md."""
    parts = [_INTRODUCTION]
    for title, tables in (("Views, for people", _VIEWS), ("Tables", _BASE)):
        parts.append(f"## {title}\n")
        for name, table in tables.items():
            rows = "\n".join(f"| `{column}` | {meaning} |" for column, meaning in table.columns.items())
            parts.append(f"### `{name}`\n\n{table.about}\n\n| column | meaning |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


_INTRODUCTION = """\
# The project's database

<!-- Written by `python -m mollia_cli.store.schema > docs/database.md`; a test compares it with the schema. -->

`mollia.db` in a project's folder is one SQLite file (WAL mode; readable by its owner only). Read it with

```console
$ mollia sql                                     # the views and tables, with their columns
$ mollia sql "select source, count(*) from labelled_items group by source"
$ mollia sql "select text, label, confidence from current_verdicts order by confidence limit 20" --csv > doubtful.csv
$ datasette mollia.db                            # in a browser: the views below are what to look at
```

`mollia sql` opens it read-only: whatever would write, attach another file or change a setting is refused. Write to it
by mollia's commands alone. New versions add tables, views and columns and do not take any away.
"""

if __name__ == "__main__":
    print(reference(), end="")
