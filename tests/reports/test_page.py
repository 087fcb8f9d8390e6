"""The page: well-formed, self-contained, accessible, and deaf to hostile texts."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from mollia_cli.domain.report import Report
from mollia_cli.reports.blocks import Table
from mollia_cli.reports.page import cell, is_wide, page, sentence
from mollia_cli.reports.sections import charts, sections

from .samples import full_report, new_report

VOID = {"meta", "br", "link", "img", "input", "hr"}
REFERENCES = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")
REPORTS = {"new": new_report(), "full": full_report()}


class Reader(HTMLParser):
    """Collects tags, and fails where one is closed that was not opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"attribute twice: {tag} {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"attribute twice: {tag} {attrs}"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture(params=REPORTS, scope="module")
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


def test_tags_are_balanced_and_references_resolve(html: str) -> None:
    reader = read(html)
    ids = Counter(attributes["id"] for _, attributes in reader.tags if "id" in attributes)
    assert not [name for name, times in ids.items() if times > 1]
    used = [v for _, a in reader.tags for key in REFERENCES for v in (a.get(key) or "").split()]
    used += [(a["href"] or "").removeprefix("#") for a in reader.all("a")]
    assert used and set(used) <= set(ids)


def test_nothing_outside_the_page_is_named(html: str) -> None:
    reader = read(html)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [a for _, a in reader.tags if {"src", "srcset", "action", "xlink:href"} & set(a)]
    assert not [a for _, a in reader.tags for key in a if key.startswith("on")]
    assert all((a["href"] or "").startswith("#") for _, a in reader.tags if "href" in a)
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|http|//", style)


def test_the_policy_forbids_everything_but_inline_styles(html: str) -> None:
    (policy,) = [a["content"] for a in read(html).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def test_a_screen_reader_finds_its_way(html: str, report: Report) -> None:
    reader = read(html)
    count = Counter(tag for tag, _ in reader.tags)
    assert [count[tag] for tag in ("h1", "main", "nav", "header", "footer", "title")][:5] == [1, 1, 1, 1, 1]
    assert reader.all("html")[0]["lang"] == "en"
    assert count["section"] == count["h2"] == len(sections(report)) == 10
    assert all("aria-labelledby" in a for a in [*reader.all("section"), *reader.all("svg")])
    assert all(a["role"] == "img" for a in reader.all("svg"))
    assert all(a.get("scope") in ("col", "row") for a in reader.all("th"))
    assert count["caption"] == count["table"]
    # a table stands behind every chart
    assert count["svg"] == count["details"] == count["figure"] == len(charts(report))


def test_the_page_is_small(html: str) -> None:
    assert len(html.encode()) < 200_000


def test_hostile_texts_are_only_text() -> None:
    html = page(REPORTS["full"])
    assert "<script" not in html and "alert(1)" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert "{{ 7 * 7 }}" in html  # no template is made of it
    words = "".join(read(html).words)
    assert "<script>alert(1)</script><img src=http://evil.example/x.png onerror=alert(2)>" in words
    assert "\\x1b[31mred\\x00 \\u202egnirts" in words


def test_many_labels_stay_under_three_megabytes() -> None:
    labels = tuple(f"a label of some length, number {n}" for n in range(150))
    html = page(full_report(labels))
    assert len(html.encode()) < 3_000_000
    read(html)


def test_every_missing_section_says_what_to_type() -> None:
    words = page(REPORTS["new"])
    assert words.count("Nothing is here yet.") >= 7
    assert words.count("mollia import texts.csv --split pool") >= 7
    assert not charts(REPORTS["new"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.1234, "0.123"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (1234, "1,234"),
        ("a", "a"),
        (-0.02, "-0.020"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_messages_become_sentences() -> None:
    assert [sentence(text) for text in ("no texts yet", "Next:", "Done.")] == ["No texts yet.", "Next:", "Done."]


def test_what_is_too_wide_for_a_phone_is_known_by_its_longest_words() -> None:
    heads = ("label", "items", "given", "precision", "recall")
    assert not is_wide(Table("", heads, [("appointment", 27, 25, 0.96, 0.889)]))
    assert not is_wide(Table("", heads, [("an appointment or not", 27, 25, 0.96, 0.889)]))
    assert is_wide(Table("", heads, [("appointment-or-not", 27, 25, 0.96, 0.889)]))
    assert is_wide(Table("", (*heads, "another"), [("appointment", 27, 25, 0.96, 0.889, None)]))
    assert not is_wide(Table("", ("of", "digest"), [("label set", "ab" * 32)]))


def test_every_cell_of_a_record_has_its_columns_name() -> None:
    tables = page(full_report()).split('<div class="table')[1:]
    assert len(tables) > 10
    for table in tables:
        cells = read(f'<div class="table{table.partition("</table>")[0]}</table></div>').all("td")
        assert {"data-label" in attributes for attributes in cells} == {table.startswith(" records")}, table[:200]
