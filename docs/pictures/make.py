"""The pictures of the documentation, made again from a project: docs/pictures/make.py PROJECT.

`mollia review` in a small and in a wide terminal, and the top of `mollia report` in light and dark. PROJECT is the
tutorial's: it has verdicts and a trained classifier. Needs a Chromium; nothing is stored in the project.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mollia_cli import Project
from mollia_cli.cli.review_app import ReviewApp
from mollia_cli.insight.review import open_review
from mollia_cli.reports.page import page as page_of

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TERMINALS = {"review": (80, 24), "review-wide": (132, 36)}
SCHEMES = {"report-light": [], "report-dark": ["--blink-settings=preferredColorScheme=0"]}
REPORT_SIZE = (960, 1480)


def terminal(project: Project, columns: int, rows: int) -> str:
    """The first item of the review as SVG."""

    async def shot() -> str:
        app = ReviewApp(open_review(project, limit=20, who="anna"))
        async with app.run_test(size=(columns, rows)) as pilot:
            await app.workers.wait_for_complete()  # the classifier reads the first texts
            await pilot.pause()
            return app.export_screenshot(title="mollia review")

    return asyncio.run(shot())


def photograph(browser: str, page: Path, out: Path, size: tuple[int, int], *options: str) -> None:
    """The top left ``size`` pixels of a page as PNG."""
    base = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
    window = [f"--window-size={size[0]},{size[1]}", f"--screenshot={out}"]
    subprocess.run([*base, *window, page.as_uri()], check=True, capture_output=True, timeout=300)


def main(folder: Path) -> None:
    """Write every picture beside this file."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), "")
    if not browser:
        sys.exit(f"no browser is called {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory() as work, Project.open(folder) as project:
        for name, (columns, rows) in TERMINALS.items():
            page = Path(work) / f"{name}.svg"
            page.write_text(terminal(project, columns, rows), encoding="utf-8")
            box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', page.read_text(encoding="utf-8"))
            assert box is not None
            photograph(browser, page, HERE / f"{name}.png", (int(float(box[1])), int(float(box[2]))))
        report = Path(work) / "report.html"
        report.write_text(page_of(project.report()), encoding="utf-8")
        for name, options in SCHEMES.items():
            photograph(browser, report, HERE / f"{name}.png", REPORT_SIZE, *options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
