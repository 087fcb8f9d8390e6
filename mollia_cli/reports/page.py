"""The report as one HTML page: no script, no network, nothing but what stands in it."""

from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from mollia_cli.domain.printable import printable
from mollia_cli.domain.report import Report
from mollia_cli.reports import svg
from mollia_cli.reports.blocks import Table
from mollia_cli.reports.sections import sections

# Kept as they are: line breaks, no-break spaces, and the joiners that Indic and Persian writing needs.
_HARMLESS = "\n\u00a0\u200c\u200d"
_PHONE = 41  # characters of a table side by side, at 360 pixels


def page(report: Report) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": cell,
        "sentence": sentence,
        "is_wide": is_wide,
        "svg": _svg,
        "kind": lambda block: type(block).__name__.lower(),
    }
    style = Markup(_source("style.css"))
    made = environment.get_template("page.html").render(about=report.overview, sections=sections(report), style=style)
    return str(made)


def cell(value: Any) -> str:
    """A table's cell: fractions with three digits, large numbers with none, nothing known as a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def is_wide(table: Table) -> bool:
    """A phone's screen is too narrow for it, with lines broken between words; two columns fit with broken words."""
    if len(table.columns) < 3:
        return False
    longest = [
        max((len(word) for value in column for word in cell(value).split()), default=0)
        for column in zip(table.columns, *table.rows, strict=True)
    ]
    return sum(longest) + len(longest) > _PHONE


def sentence(text: str) -> str:
    """A message as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith((':', '.')) else '.'}"


def _neutral(value: Any) -> Any:
    """What is put into the page: no control or bidirectional character; markup of our own passes."""
    return value if isinstance(value, Markup) else printable(str(value), keep=_HARMLESS)


def _svg(chart: Any) -> Markup:
    return Markup(svg.inline(chart))


def _source(name: str) -> str:
    return (resources.files("mollia_cli.reports") / "templates" / name).read_text(encoding="utf-8")
