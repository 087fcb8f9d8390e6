"""``mollia annotate``."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import exp
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mollia_cli.cli.common import (
    JsonLinesOption,
    ModelOption,
    ProjectOption,
    SplitOption,
    ThreadsOption,
    check_cascade,
    emit_stream,
    excluded,
    limit_option,
    one_label_only,
    open_project,
    read_ids,
    split_names,
    table,
    talk,
)
from mollia_cli.cli.run_options import (
    CascadeOption,
    LongOption,
    ShotsOption,
    ThresholdOption,
    VotesOption,
    with_engine_options,
)
from mollia_cli.domain.items import check_split
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.domain.questions import Question


@with_engine_options
def annotate(
    *,
    ids: Annotated[str, typer.Argument(help="A file of ids, or - for standard input. Default: what comes next.")] = "",
    split: SplitOption = "",
    limit: Annotated[int, limit_option("At most so many items; 0 for all.")] = 0,
    model: ModelOption = "",
    part: Annotated[
        str, typer.Option(metavar="N/OF", help="Of the work one of so many parts, in a copy of the project: 3/8.")
    ] = "",
    votes: VotesOption = None,
    shots: ShotsOption = None,
    long: LongOption = None,
    show_invalid: Annotated[
        int, typer.Option(help="Decode so many answers of each text that are no label to their end.", min=0)
    ] = 0,
    cascade: CascadeOption = None,
    threshold: ThresholdOption = None,
    threads: ThreadsOption = None,
    engine: dict[str, Any],
    project: ProjectOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Have the panel's LLMs score texts.

    Each gives the probability of every label, and repeated answers.
    What was observed before is read, not computed again. Without ids or a split: the seed set,
    the sample that the aggregator learns from, and what the current run has selected.
    --votes, --shots, --long and --mixed hold for this command; to keep them, set them in mollia.toml under
    [annotate], where -1 becomes the number of shots that is chosen. With --on and --workers, the LLMs read in other
    processes (docs/engines.md). Parts of a text (--long split) are joined by the mean of
    their log-probabilities, weighted by their tokens.
    Where a text may have several labels, they are asked of each whether it applies.
    With --cascade, each LLM reads the seed items, and of the others those that the LLMs before it leave
    in doubt; `mollia aggregate --cascade` with the same LLMs makes verdicts on all of them.
    --part 1/3, 2/3 and 3/3 in three copies of a project read each text once; `mollia merge` brings what they have
    observed home (docs/parts.md).

    Example: mollia select -n 50 | mollia annotate - | mollia aggregate -
    """
    check_cascade(bool(cascade), threshold)
    if cascade and model:
        excluded("--cascade", "--model", "a cascade names the LLMs that it asks")
    if cascade and show_invalid:
        excluded("--cascade", "--show-invalid", "the LLMs of a cascade read once")
    if cascade and part:
        excluded("--cascade", "--part", "what the second LLM is asked follows from what the first says of all items")
    if ids and split:
        excluded("--split", f"the ids of {ids}", "each says which items are annotated")
    from mollia_cli.loop.multilabel import check_chosen
    from mollia_cli.loop.needed import next_items
    from mollia_cli.loop.shots import settle_prompt
    from mollia_cli.project import observe as work
    from mollia_cli.project.labels import labelled_by_people
    from mollia_cli.project.parts import Part
    from mollia_cli.project.questions import by_question

    share = Part.parse(part) if part else None
    with open_project(project, threads, several=True) as opened:
        opened.use_annotation(votes=votes, shots=shots, long=long, **engine)
        if opened.settings.multilabel:
            one_label_only("--cascade", bool(cascade))
            check_chosen(opened)
        if split:
            check_split(split)
            wanted = opened.store.items.ids(split, limit=limit)
        else:
            wanted = read_ids(ids) if ids else next_items(opened)
            wanted = wanted[:limit] if limit else wanted
        if ids:
            opened.store.items.get(wanted)  # an id that nothing has is refused before an LLM reads anything
        order = split_names(cascade) if cascade else []
        only = [model] if model else []
        settle_prompt(opened, only=order or only)
        before = opened.store.observations.count()
        if cascade:
            from mollia_cli.loop.cascade import ask, check_order, stages_remark

            done = ask(opened, order, opened.settings.run.threshold if threshold is None else threshold, wanted)
            members = check_order(opened, order)
            talk(stages_remark(done))
            asked = [(opened, members)]
        else:
            asked = [(seen, work.annotate(seen, wanted, only, show_invalid, share)) for seen in by_question(opened)]
            members = asked[0][1]
        names = asked[0][0].labels.names

        def record(question: "Question | None", member: work.Member, seen: Any) -> dict[str, Any]:
            return {
                "id": seen.item_id,
                **({"question": question.label} if question else {}),
                "model": member.name,
                "log_probs": dict(zip(names, seen.log_probs.tolist(), strict=True)),
                "votes": {name: round(v, 6) for name, v in zip(names, seen.votes.tolist(), strict=True)},
                "invalid": seen.invalid,
                "mass": seen.mass,
                **({"answers": list(seen.answers)} if seen.answers else {}),
                **({"truncated": True} if seen.truncated else {}),
            }

        records = (
            record(each.question, member, seen)
            for each, them in asked
            for member, seen in work.observations(each, them, wanted)
        )
        about = ["question"] if opened.settings.multilabel else []
        columns = ["id", *about, "model", "votes", "invalid", "mass", *(["answers"] if show_invalid else [])]
        emit_stream(records, columns, as_json, None if show_invalid else _by_llm)
        new = opened.store.observations.count() - before
        which = count(new, "new observation") if new else "nothing new: all was observed before"
        what = f"part {part} of {count(len(wanted), 'item')}" if part else count(len(wanted), "item")
        talk(f"{what} annotated by {', '.join(member.name for member in members)} ({which})")
        reviewed = [item.id for item in labelled_by_people(opened)] if split == "seed" and not part else []
        if unread := len(reviewed) - len(work.observed_by_all(opened, members, reviewed)):
            talk(
                f"not among them: {count(unread, 'item')} of the pool that people have labelled; an aggregation learns"
                " from those, too: mollia annotate (without --split)"
            )


def _by_llm(records: Iterable[Mapping[str, Any]]) -> None:
    """A summary of many observations: of each LLM (and question) how many, how confident it was, and its labels."""
    labels: dict[str, Counter[str]] = {}
    sums: dict[str, list[float]] = {}
    for record in records:
        shares = {name: exp(value) for name, value in record["log_probs"].items()}
        best = max(shares, key=lambda name: shares[name])
        confidence = shares[best] / (sum(shares.values()) or 1.0)
        who = f"{record['model']}: {record['question']}" if "question" in record else record["model"]
        labels.setdefault(who, Counter())[best] += 1
        before = sums.get(who, [0.0] * 3)
        now = (confidence, record["mass"], record["invalid"])
        sums[who] = [old + new for old, new in zip(before, now, strict=True)]
    rows = []
    for who, counted in labels.items():
        confidence, mass, invalid = (value / counted.total() for value in sums[who])
        rows.append([who, counted.total(), confidence, mass, invalid, dict(counted.most_common())])
    table(["LLM", "items", "mean confidence", "mean mass", "invalid", "labels"], rows)
