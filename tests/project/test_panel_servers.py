"""Servers in a project's panel, by the commands: stored, goes on after a failure, named as unproven; toy servers."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_servers import FakeServer
from typer.testing import CliRunner, Result

from mollia_cli.annotators.server import link
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import EXIT_FAILURE, EXIT_REFUSED, EXIT_USAGE
from mollia_cli.insight.report.provenance import provenance
from mollia_cli.project.context import Project

pytestmark = pytest.mark.usefixtures("guarded")
TEXTS = [f"the day was fine {n}" for n in range(40)]
Typed = Callable[..., Result]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setattr(link, "WAITS", (0.0, 0.01))
    with FakeServer().running() as server:
        yield server


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs a command in a project without any model of this machine."""
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    root, texts = tmp_path / "project", tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS))

    def run(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, words)
        if status != done.exit_code and done.exception is not None and not isinstance(done.exception, SystemExit):
            code = getattr(done.exception, "exit_code", None)
            assert code == status, done.exception
            return done
        assert done.exit_code == status, done.output
        return done

    run("init", str(root), "--labels", "good,bad")
    monkeypatch.chdir(root)
    run("import", str(texts), "--split", "pool")
    return run


def stored(typed: Typed) -> list[dict[str, object]]:
    """What is stored of each item."""
    query = "SELECT item, invalid, mass, tokens FROM observations ORDER BY item"
    found = typed("sql", query, "--json").stdout
    return list(json.loads(found)) if found.strip() else []


def test_a_server_is_added_asked_and_named_as_unproven(typed: Typed, fake: FakeServer) -> None:
    done = typed("panel", "add", "big", "--url", fake.url, "--server", "llama-server")
    assert done.stderr == "panel: big\n" and not fake.asked
    typed("annotate", "--split", "pool")
    rows = stored(typed)
    assert len(rows) == len(TEXTS) and all(float(str(row["mass"])) > 0.1 for row in rows)
    fake.asked.clear()
    typed("annotate", "--split", "pool")
    assert not fake.asked  # all is stored: nobody is asked
    verified = typed("verify")
    assert "big: which model made its observations is its server's word" in verified.stderr
    assert json.loads(typed("verify", "--json").stdout)["unproven"] == ["big"]
    assert f"let through while it reads: big: {fake.url}" in typed("doctor", "--offline").stderr
    assert json.loads(typed("doctor", "--offline", "--json").stdout)["named"] == [f"big: {fake.url}"]
    assert "127.0.0.1" not in typed("sql", "SELECT identity FROM annotators", "--json").stdout


def test_the_report_says_unproven_and_not_where_the_server_is(typed: Typed, fake: FakeServer, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    rows = [{"text": f"seed {n}", "label": ["good", "bad"][n % 2]} for n in range(12)]
    seeds.write_text("\n".join(map(json.dumps, rows)))
    typed("import", str(seeds), "--split", "seed")
    typed("panel", "add", "big", "--url", fake.url, "--server", "llama-server")
    typed("annotate", "--split", "seed")
    typed("aggregate", "--aggregator", "vote")
    with Project.open() as project:
        found = provenance(project, "")
    assert ("big: unproven", "model and engine are what its server says of itself") in found.digests
    assert "llama-server" in str(found) and "127.0.0.1" not in str(found)


def test_what_was_read_before_a_failure_stays_and_nothing_invalid_comes(typed: Typed, fake: FakeServer) -> None:
    typed("panel", "add", "big", "--url", fake.url, "--server", "llama-server")
    fake.at, fake.troubles = "/completion", deque([None] * 100 + ["hang up"] * 1000)
    done = typed("annotate", "--split", "pool", status=EXIT_FAILURE)
    assert "cannot be reached" in str(done.exception) + done.output
    before = stored(typed)
    assert 0 < len(before) < len(TEXTS) and all(row["tokens"] for row in before)
    fake.troubles.clear()
    typed("annotate", "--split", "pool")
    after = stored(typed)
    assert len(after) == len(TEXTS) and all(float(str(row["mass"])) > 0.1 for row in after)
    assert [row for row in after if row in before] == before


def test_a_server_that_becomes_another_is_refused(typed: Typed, fake: FakeServer) -> None:
    typed("panel", "add", "big", "--url", fake.url, "--server", "vllm")
    typed("annotate", "--split", "pool", "--limit", "5")
    fake.build = "0.99"
    done = typed("annotate", "--split", "pool", status=EXIT_REFUSED)
    assert "engine is 'vLLM 0.99', before 'vLLM b6000-abcdef'" in str(done.exception) + done.output
    assert len(stored(typed)) == 5


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["big", "--url", "127.0.0.1:80", "--server", "vllm"], "no address"),
        (["big", "--url", "http://127.0.0.1"], "one name, --url and --server"),
        (["big", "huge", "--url", "http://127.0.0.1", "--server", "vllm"], "one name, --url and --server"),
        (["big", "--url", "http://127.0.0.1", "--server", "llama"], "no option 'url'"),
        (["big", "--url", "http://127.0.0.1", "--server", "tgi"], "no annotator is called 'tgi'"),
    ],
)
def test_a_server_that_cannot_be_one_is_not_written_down(words: list[str], why: str, typed: Typed) -> None:
    before = Path("mollia.toml").read_text()
    done = typed("panel", "add", *words, status=EXIT_USAGE)
    assert why in str(done.exception) + done.output
    assert Path("mollia.toml").read_text() == before
