"""The page in a real browser without a window: it is drawn, in both colour schemes, and fits a narrow screen."""

import html
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from mollia_cli.reports.page import page

from .samples import full_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), "")
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not BROWSER, reason=f"no browser on this machine (looked for {', '.join(NAMES)})"),
]
OFFLINE = ("--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run", "--disable-background-networking")
MEASURE = """<script>addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const probe = (tag) => page.defaultView.getComputedStyle(page.querySelector(tag));
  document.title = JSON.stringify([page.documentElement.scrollWidth, page.querySelectorAll("svg").length,
    probe("h1").fontWeight, probe("body").maxWidth]);
})</script>"""


def browse(folder: Path, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    base = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *OFFLINE]
    log = ["--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*base, *log, *options, source.as_uri()], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_text(page(full_report()), encoding="utf-8")
    return path


def test_it_is_read_without_complaint(written: Path, tmp_path: Path) -> None:
    done = browse(tmp_path, written, "--dump-dom")
    assert done.stdout.count("<svg") == 10 and done.stdout.count("<h1") == 1
    assert not re.search(r"CONSOLE.*(Refused|violates|Error)", done.stderr), done.stderr


@pytest.mark.parametrize("width", [360, 1400])
def test_it_fits_the_screen(written: Path, tmp_path: Path, width: int) -> None:
    frame = tmp_path / "frame.html"
    size = f"border:0;width:{width}px;height:900px"
    inside = html.escape(written.read_text(encoding="utf-8"))
    frame.write_text(f'<iframe style="{size}" srcdoc="{inside}"></iframe>{MEASURE}', encoding="utf-8")
    done = browse(tmp_path, frame, "--window-size=1500,1000", "--dump-dom")
    found = re.search(r"<title>\[(\d+),(\d+),\"(\d+)\",\"(\d+)px\"\]", done.stdout)
    assert found is not None, done.stdout[:500]
    assert int(found[1]) <= width, "the page is wider than its screen"
    assert found[2] == "10"
    assert (found[3], found[4]) == ("600", "800"), "the style sheet was not used"


def test_light_and_dark_differ(written: Path, tmp_path: Path) -> None:
    shots = []
    for scheme, options in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
        shot = tmp_path / f"{scheme}.png"
        browse(tmp_path, written, *options, "--window-size=1000,2000", f"--screenshot={shot}")
        shots.append(shot.read_bytes())
        assert struct.unpack(">II", shots[-1][16:24]) == (1000, 2000)
        assert len(shots[-1]) > 20_000  # not an empty page
    assert shots[0] != shots[1]
