"""The page in a real browser without a window: it is drawn, fits a phone, and prints without holes.

What was seen is kept for people to look at, as PNG and PDF, in the folder that MOLLIA_PICTURES names or else in
pytest's temporary folder.
"""

import os
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from chromium import BROWSER, MISSING, Chromium

from mollia_cli.reports.page import page

from .samples import full_report

pytestmark = [pytest.mark.proof, pytest.mark.skipif(not BROWSER, reason=MISSING)]
REPORTS = {
    "hostile": full_report(),
    "clinic": full_report(("appointment", "prescription", "results", "billing", "documents", "complaint")),
    "fourteen": full_report(tuple(f"label number {n}" for n in range(14))),
}
BLOCKS = "h1, h2, h3, figcaption, caption, p, li, tr, svg, pre"
# Ids for all blocks, and links to them: a PDF says on which page, and where on it, each target of a link stands.
LINKED = f"""(() => {{
  const links = document.body.appendChild(document.createElement("div"));
  links.style.display = "none";
  return [...document.querySelectorAll("{BLOCKS}")].map((block, number) => {{
    block.id = `at-${{number}}`;
    links.appendChild(document.createElement("a")).href = `#at-${{number}}`;
    return [block.localName, block.textContent.trim().slice(0, 60)];
  }});
}})()"""
PAGE_HEIGHT = 842.0  # points of A4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("MOLLIA_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(params=REPORTS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"{request.param}.html"
    path.write_text(page(REPORTS[request.param]), encoding="utf-8")
    return path


def test_it_is_read_without_complaint(browser: Chromium, written: Path) -> None:
    tab = browser.tab()
    tab.open(written.as_uri())
    assert tab.run("[document.querySelectorAll('svg').length, document.querySelectorAll('h1').length]") == [10, 1]
    assert tab.run("getComputedStyle(document.body).maxWidth") == "800px", "the style sheet was not used"
    assert tab.asked() == [written.as_uri()] and not tab.complaints()


@pytest.mark.parametrize(("width", "phone"), [(360, True), (390, True), (1400, False)])
def test_it_fits_the_screen(browser: Chromium, pictures: Path, written: Path, width: int, phone: bool) -> None:
    tab = browser.tab(width, 844, phone)
    tab.open(written.as_uri())
    tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.picture(pictures / f"report-{written.stem}-{width}.png", whole=True)
    assert tab.run("document.documentElement.scrollWidth") <= tab.run("innerWidth") == width
    if phone:  # nor is a table cut at the edge of its box
        cut = "[...document.querySelectorAll('.table')].filter(one => one.scrollWidth > one.clientWidth)"
        assert tab.run(f"{cut}.map(one => one.innerText.slice(0, 80))") == []


def test_a_phone_shows_the_rows_of_a_wide_table_as_records(browser: Chromium, written: Path) -> None:
    tab = browser.tab(390, 844, phone=True)
    tab.open(written.as_uri())
    name = "getComputedStyle(document.querySelector('#panel .records td'), '::before').content"
    assert tab.run(name) == '"accuracy"'
    assert tab.run("getComputedStyle(document.querySelector('#panel .records thead')).display") == "none"


def test_on_paper_no_page_is_half_empty_and_no_heading_stands_alone(
    browser: Chromium, pictures: Path, written: Path
) -> None:
    tab = browser.tab()
    tab.open(written.as_uri())
    blocks = tab.run(LINKED)
    printed = tab.print(pictures / f"report-{written.stem}.pdf").read_bytes().decode("latin-1")
    places = {int(n): (p, float(y)) for n, p, y in re.findall(r"/at-(\d+) \[(\d+) 0 R /XYZ \S+ (\S+) ", printed)}
    pages = list(dict.fromkeys(place for _, (place, _) in sorted(places.items())))
    assert len(places) > 0.9 * len(blocks) and len(pages) > 4
    shown = sorted(places)
    lonely = [
        blocks[n]
        for n, following in pairwise(shown)
        if blocks[n][0] in ("h1", "h2", "h3", "figcaption", "caption") and places[n][0] != places[following][0]
    ]
    assert not lonely, "these headings are the last thing on their page"
    lowest = {name: min(y for place, y in places.values() if place == name) / PAGE_HEIGHT for name in pages[:-1]}
    assert {name: y for name, y in lowest.items() if y > 0.5} == {}, "a page whose lower half is empty"


def test_light_and_dark_differ(browser: Chromium, pictures: Path, written: Path) -> None:
    shots = []
    for scheme in ("light", "dark"):
        tab = browser.tab(1000, 2000)
        tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        tab.open(written.as_uri())
        shots.append(tab.picture(pictures / f"report-{written.stem}-{scheme}.png").read_bytes())
        assert struct.unpack(">II", shots[-1][16:24]) == (1000, 2000)
        assert len(shots[-1]) > 20_000  # not an empty page
    assert shots[0] != shots[1]
