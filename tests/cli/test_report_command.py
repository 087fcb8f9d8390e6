"""``mollia report`` on the command line."""

import json
import subprocess
from pathlib import Path

import pytest
from typed import typed


def mollia(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = typed(folder, *arguments)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert mollia(folder, "init", "p", "--labels", "spam,ham").returncode == 0
    (folder / "pool.txt").write_text("a secret text\nanother one\n")
    assert mollia(folder, "import", "-p", "p", "pool.txt").returncode == 0
    return folder


def test_the_page_is_written_and_stdout_stays_pure(folder: Path) -> None:
    done = mollia(folder, "report", "-p", "p", "--charts", "charts")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "report.html" in done.stderr
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert (folder / "charts").is_dir()
    piped = mollia(folder, "report", "-p", "p", "-o", "-")
    assert piped.stdout.startswith("<!DOCTYPE html>") and piped.stdout.rstrip().endswith("</html>")


def test_json_is_one_object(folder: Path) -> None:
    found = json.loads(mollia(folder, "report", "-p", "p", "--json").stdout)
    assert found["overview"]["labels"] == ["spam", "ham"]
    assert found["data"]["splits"][0]["items"] == 2
    assert found["examples"]["hint"].startswith("mollia ")


def test_an_option_before_a_part_is_refused(folder: Path) -> None:
    done = mollia(folder, "report", "-p", "p", "panel")
    assert done.returncode == 2
    assert "before 'panel'" in done.stderr and "mollia report panel" in done.stderr


def test_a_run_that_does_not_exist(folder: Path) -> None:
    done = mollia(folder, "report", "-p", "p", "--run", "x")
    assert done.returncode == 3
    assert "no run 'x'" in done.stderr
