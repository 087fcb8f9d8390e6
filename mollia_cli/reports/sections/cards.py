"""The data card and the model card."""

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import DataCard, Measurement, Missing, ModelCard, Report
from mollia_cli.reports.blocks import Advice, Block, Chart, Section, Table, Words
from mollia_cli.reports.dots import Dot, DotRow, dots_chart
from mollia_cli.reports.words import interval, share


def data_card(report: Report) -> Section:
    """What the data are, split by split."""
    card = report.data
    if isinstance(card, Missing):
        return Section("data", "Data card", [Advice(card.message, card.hint)])
    columns = ["split", "items", "true label known", "shortest", "median", "longest"]
    rows = [[s.split, s.items, s.labelled, *s.characters] for s in card.splits]
    sources = [[s.split, source.name, source.items, source.imported] for s in card.splits for source in s.sources]
    blocks: list[Block] = [
        Words(
            "No two items have the same text. True labels of the pool, where they are known, are used for measuring and"
            " for the oracle only. What the texts are about, whose they are, and what consent there is, this report"
            " cannot know: write it beside it."
        ),
        Table("Splits (lengths in characters)", columns, rows),
        Table("Sources", ["split", "from", "items", "imported"], sources),
    ]
    if card.synthetic:
        written = [[label, count] for label, count in card.synthetic.items()]
        blocks.append(Table("Synthetic texts, written by LLMs; in no split", ["label", "texts"], written))
    if any(split.labelled for split in card.splits):
        blocks.append(labels_chart(report.overview.labels, card))
    if any(report.overview.descriptions):
        meanings = zip(report.overview.labels, report.overview.descriptions, strict=True)
        blocks.append(Table("What the labels mean", ["label", "meaning"], [list(pair) for pair in meanings]))
    return Section("data", "Data card", blocks)


def labels_chart(labels: tuple[str, ...], card: DataCard) -> Chart:
    """Each label's share of the known labels of every split, and of the verdicts."""
    given = [(s.split, s.by_label) for s in card.splits if s.labelled]
    given += [("verdicts", card.verdicts)] if sum(card.verdicts) else []
    names = [name for name, _ in given]
    rows = [
        DotRow(label, [Dot(series, counts[k] / sum(counts)) for series, (_, counts) in enumerate(given)])
        for k, label in enumerate(labels)
    ]
    title = "How frequent the labels are"
    table = Table(title, ["label", *names], [[label, *(c[k] for _, c in given)] for k, label in enumerate(labels)])
    described = f"Share of each of {len(labels)} labels in: {', '.join(names)}."
    return dots_chart("labels", title, described, rows, "share of the items", names, table)


def model_card(report: Report) -> Section:
    """What the classifier is, how it was made, what it was measured on, and what it is not for."""
    card = report.model
    if isinstance(card, Missing):
        return Section("model", "Model card", [Advice(card.message, card.hint)])
    test = next((m for m in report.measurements if isinstance(m, Measurement) and m.kind == "test"), None)
    measured = (
        f"{share(test.accuracy)} of {test.on} ({interval(test.lower, test.upper)}), macro-F1 {share(test.macro_f1)}"
        if test
        else "not measured: there are no test items"
    )
    about = report.overview
    number, _, how = card.validation.partition(" ")
    if card.epochs is None:
        kind = f"a {card.learner} head on {card.encoder}, fitted for {count(len(about.labels), 'label')}"
        chosen = ["regularised by", "cross-validation on the labels of people"]
    else:
        kind = f"{card.encoder}, trained for {count(len(about.labels), 'label')}"
        chosen = ["stopped by", f"{count(int(number), 'validation item')} ({how}), after {count(card.epochs, 'epoch')}"]
    rows = [
        ["classifier", kind],
        ["run", f"{card.run}, round {card.round}: strategy {about.strategy}, method {about.method}"],
        ["trained on", _training(report, card)],
        chosen,
        ["accuracy", measured],
        ["weights", f"{card.folder}, SHA-256 {card.sha256 or 'unknown: the folder is not here'}"],
        ["made for", f"telling {', '.join(about.labels)} apart, on texts like those of the pool"],
        ["not made for", "texts of another kind or language than the pool's; a text that fits no label still gets one;"
         " decisions about people without a person who looks"],
    ]  # fmt: skip
    return Section(
        "model",
        "Model card",
        [Table("The classifier", ["", ""], rows), Advice("To use it elsewhere:", "mollia export model -o FOLDER")],
    )


def _training(report: Report, card: ModelCard) -> str:
    """How many items, and who labelled them."""
    about = report.overview
    whose = {"human": "labels of a person", "oracle": "true labels"}.get(
        about.annotator, f"verdicts of {about.aggregator}"
    )
    parts = [f"{count(card.seeds, 'seed')} with true labels", f"{card.verdicts:,} {whose} on selected items"]
    if (others := card.trained_on - card.seeds - card.verdicts - card.unread) > 0:
        parts.append(f"{others:,} confident ones on others")
    if card.unread:
        parts.append(f"{card.unread:,} on texts that encoders alone have read")
    return ", ".join(parts)
