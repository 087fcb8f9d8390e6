"""The summary in sentences."""

from collections.abc import Iterator

from mollia_cli.aggregators.quality import no_better
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Curve, Measurement, Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Section, Words
from mollia_cli.reports.people import people_lines
from mollia_cli.reports.words import duration, percent, share


def summary(report: Report) -> Section:
    """A few sentences: what there is, the accuracies, the cost, what to do next."""
    blocks: list[Block] = [Words(sentence) for sentence in sentences(report)]
    return Section("summary", "Summary", [*blocks, Advice("Next:", report.overview.next_step)])


def sentences(report: Report) -> Iterator[str]:
    """One paragraph for each thing that is known."""
    yield _data(report)
    yield from _panel(report)
    yield from _verdicts(report)
    yield from _classifier(report)
    yield from _labels_alone(report)
    yield from _llms_add(report)
    yield from _cost(report)
    for line in map(str.strip, people_lines(report.overview.people)):
        yield f"{line[0].upper()}{line[1:]}."


def _data(report: Report) -> str:
    about = report.overview
    names = ", ".join(about.labels)
    if isinstance(report.data, Missing):
        return f"The project has {count(len(about.labels), 'label')} ({names}). It holds no texts yet."
    sizes = {split.split: split for split in report.data.splits}
    parts = [f"{count(split.items, about.noun)} in the {name} set" for name, split in sizes.items() if name != "pool"]
    pool = f"{count(sizes['pool'].items, about.noun)} in the pool" if "pool" in sizes else "no pool yet"
    return f"The project has {count(len(about.labels), 'label')} ({names}). It holds {', '.join([pool, *parts])}."


def _panel(report: Report) -> Iterator[str]:
    panel = report.panel
    if isinstance(panel, Missing):
        return
    known = [llm for llm in panel.llms if llm.accuracy is not None]
    has = f"{count(len(panel.llms), 'LLM')} {'has' if len(panel.llms) == 1 else 'have'}"
    read = f"{has} read {count(panel.agreement.items, report.overview.noun)}"
    if not known:
        yield f"{read}. Their accuracy is not known, because no seed has a true label."
        return
    best = max(known, key=lambda llm: llm.accuracy or 0.0)
    yield (
        f"{read}. The best of them alone, {best.annotator}, has an accuracy of {percent(best.accuracy or 0.0)}"
        f" on {panel.on}{_between(best.lower, best.upper, '95% interval ')}."
    )


def _verdicts(report: Report) -> Iterator[str]:
    found = _measured(report)
    if (seeds := found.get("seeds")) is not None:
        yield (
            f"Aggregated by {seeds.who}, their answers have an accuracy of {percent(seeds.accuracy)} on"
            f" {seeds.on}{_between(seeds.lower, seeds.upper)}. Its confidence is"
            f" {100 * seeds.ece:.0f} points off on average (ECE {share(seeds.ece)})."
        )
    if (pool := found.get("pool")) is not None:
        yield (
            f"The verdicts on {pool.on} have an accuracy of {percent(pool.accuracy)}{_between(pool.lower, pool.upper)}."
        )


def _classifier(report: Report) -> Iterator[str]:
    test = _measured(report).get("test")
    if test is not None:
        yield (
            f"The {test.who}, has an accuracy of {percent(test.accuracy)} on {test.on}"
            f"{_between(test.lower, test.upper)}; macro-F1 {share(test.macro_f1)}."
        )
    if isinstance(report.curves, Missing):
        return
    own = next((curve for curve in report.curves if curve.name == report.overview.run), None)
    if own is not None and len(own.points) > 1 and own.metric.startswith("test"):
        yield _progress(own)


def _labels_alone(report: Report) -> Iterator[str]:
    alone = report.labels_alone
    if isinstance(alone, Missing):
        return
    yield (
        f"The same gold labels alone, without any LLM, have an accuracy of {percent(alone.accuracy)} on"
        f" {alone.on}{_between(alone.lower, alone.upper)}: {alone.name}."
    )


def _llms_add(report: Report) -> Iterator[str]:
    adds = report.llms_add
    if not isinstance(adds, Missing) and (words := no_better(adds.who, adds.than, adds.value, adds.lower, adds.upper)):
        yield f"{words[0].upper()}{words[1:]}, on {adds.on}."


def _progress(curve: Curve) -> str:
    """What the rounds brought beyond the seeds, without praise."""
    first, last = curve.points[0], curve.points[-1]
    change = last.mean - first.mean
    what = f"{'more' if change > 0 else 'less'} than" if round(change, 3) else "different from"
    words = (
        f"After {count(last.round, 'round')} and {last.labelled:,} labelled items, test micro-F1 is {share(last.mean)}:"
        f" {abs(change):.3f} {what} the {share(first.mean)} of the {count(first.labelled, 'seed')} alone."
    )
    if curve.repeats == 1:
        words += " One run was made, so that chance alone may explain such a difference."
    return words


def _cost(report: Report) -> Iterator[str]:
    cost = report.cost
    if isinstance(cost, Missing) or not cost.llms:
        return
    timed = [llm.seconds for llm in cost.llms if llm.seconds is not None]
    took = f" in {duration(sum(timed))}" if timed else ""
    yield f"The LLMs have read {count(sum(llm.tokens for llm in cost.llms), 'token')}{took}, on this machine alone."


def _between(lower: float | None, upper: float | None, title: str = "") -> str:
    return "" if lower is None or upper is None else f" ({title}{percent(lower)} to {percent(upper)})"


def _measured(report: Report) -> dict[str, Measurement]:
    return {found.kind: found for found in report.measurements if isinstance(found, Measurement)}
