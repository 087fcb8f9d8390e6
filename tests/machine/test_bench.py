"""``mollia bench annotate``: the numbers it prints, and what it wants of a file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.machine.bench import bench, bench_texts

KEYS = {
    *("texts_per_s", "new_tokens_per_text", "extra_tokens_per_text", "ceiling_tokens_per_s", "ratio", "peak_rss_mb"),
}


@pytest.mark.proof
def test_the_command_prints_one_object(test_llm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mollia_cli.annotators.llama.bench._CEILING_SHARE", 0.0)
    arguments = ["bench", "annotate", str(test_llm), "--limit", "12", "--threads", "1", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.keys() >= KEYS
    assert all(found[key] > 0 for key in KEYS)
    assert (found["texts"], found["threads"], found["failed"]) == (12, 1, 0)
    per_second = found["texts_per_s"] * found["new_tokens_per_text"]
    assert found["ratio"] == pytest.approx(per_second / found["ceiling_tokens_per_s"])


def test_the_labels_are_those_of_the_file(write: Callable[[str, str], Path]) -> None:
    items, labels = bench_texts(write("a.csv", "text,label\none,b\ntwo,a\nthree,b\ntwo,a\n"), 0)
    assert labels.names == ("a", "b")
    assert {item.text: item.label for item in items} == {"one": 1, "two": 0, "three": 1}
    assert len(bench_texts(None, 7)[0]) == 7


def test_a_file_without_labels_is_refused(write: Callable[[str, str], Path], test_llm: Path) -> None:
    with pytest.raises(InputError, match="it has 0"):
        bench(str(test_llm), write("a.txt", "one\ntwo\n"))
