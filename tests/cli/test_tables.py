"""Tables at 60, 80 and 120 columns: no name, number or heading is cut in any of them."""

import ast
import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from doubles import fake_file
from rich.cells import cell_len
from test_json import CALLS, NO_PROJECT
from test_models import ENTRY, GGUF

import mollia_cli.cli
from mollia_cli.cli import common, tables
from mollia_cli.cli.compare import _cell
from mollia_cli.cli.main import app
from mollia_cli.cli.report_panel import _show_agreement
from mollia_cli.domain.report import Agreement, Point
from mollia_cli.project.context import Project
from mollia_cli.project.panel import change_panel

WIDTHS = (60, 80, 120)
LLMS = ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct.q4_k_m", "llama-3.1-8b-instruct")
STYLE = re.compile(r"\x1b\[[0-9;]*m")  # rich's own, on a terminal
LONGEST_WORD = 48  # of free text
Drawn = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[bool], str]

# Of commands that need real models or a damaged project: (columns, rows, title), as they print them.
OTHERS: list[Drawn] = [
    (["model", "use"], [[LLMS[1], f"mollia panel add {LLMS[1]}.q4_0, and remove {LLMS[1]}"]], [False] * 2, ""),
    (
        [f"{LLMS[1]} (Q4_K_M)", "500 texts"],
        [["ceiling: tokens per second of 512-token batches", "1234.567"]],
        [False, True],
        "",
    ),
    (
        ["who", "true labels", "test accuracy", "deviation", "draws"],
        [["mollia: 250 messages read by smollm2-135m-instruct", "50", "0.861", "0.012", "10"]],
        [False, *[True] * 4],
        "What they would have done with the same messages",
    ),
    (["table", "row", "why"], [["observations", "4711", "its digest is " + "ab" * 32]], [False] * 3, ""),
    (
        ["", *LLMS],
        [[name, *("0.116", "-0.161", "1.000")] for name in LLMS],
        [False, *[True] * 3],
        "Agreement of pairs beyond chance (Cohen's kappa) on 500 items",
    ),
]  # fmt: skip


def free_text(cells: Sequence[str]) -> bool:
    """Cells that may be wrapped at spaces: longer than any name."""
    return any(len(cell) > 100 or (len(cell) > 30 and " " in cell) for cell in cells)


def check(drawn: Drawn, width: int) -> None:
    columns, rows, right, title = drawn
    lines = STYLE.sub("", tables.draw(columns, rows, right, width, title)).split("\n")
    whole = "\n".join(lines)
    assert "…" not in whole
    for heading in columns:
        assert all(word in whole for word in heading.split()), (width, heading)
    for heading, cells in zip(columns, zip(*rows, strict=True), strict=False):
        for cell in cells:
            if free_text(cells):
                assert all(word in whole for word in cell.split() if len(word) <= LONGEST_WORD), (width, heading, cell)
            else:
                assert any(cell in line for line in lines), (width, heading, cell)
    for line in lines:
        assert cell_len(line) <= width or line.split() == [line.strip()], (width, line)


@pytest.mark.proof
def test_every_command_s_tables_fit(
    make_project: Callable[..., Project],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = make_project()
    change_panel(project, add=[str(fake_file(tmp_path, name)) for name in LLMS[:2]])
    (home := tmp_path / "home").mkdir()
    (tmp_path / "some.gguf").write_bytes(GGUF)
    entry = ENTRY.format(sha256=hashlib.sha256(GGUF).hexdigest(), path=tmp_path / "some.gguf")
    (home / "models.toml").write_text(entry)
    (tmp_path / "in.jsonl").write_text('{"id": "new-1", "text": "Is my scan back already?"}\n')
    (tmp_path / "ids.txt").write_text("new-1\n")
    monkeypatch.setenv("MOLLIA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common.sys.stdout, "isatty", lambda: True)
    drawn: dict[str, list[Drawn]] = {}
    draw = tables.draw

    def recorded(
        columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int, title: str
    ) -> str:
        files = [Path(frame.filename) for frame in inspect.stack() if "mollia_cli/cli/" in frame.filename]
        for name in {file.stem for file in files}:
            drawn.setdefault(name, []).append((columns, rows, right, title))
        return draw(columns, rows, right, width, title)

    monkeypatch.setattr(tables, "draw", recorded)
    for name, more in [*CALLS.items(), ("doctor --offline", "")]:
        words = [" ".join(part.split(",")) if name == "sql" else part for part in more.split()]
        where = [] if name in NO_PROJECT or name == "doctor --offline" else ["-p", str(project.root)]
        try:
            app([*name.split(), *words, *where], standalone_mode=False)
        except SystemExit as error:
            assert not error.code, name
    capsys.readouterr()
    monkeypatch.setattr(tables, "draw", draw)
    assert tables_of_the_source() - set(drawn) == {"bench", "demo", "generate", "merge", "prompt", "verify"}
    for found in [*[one for several in drawn.values() for one in several], *OTHERS]:
        for width in WIDTHS:
            check(found, width)


def tables_of_the_source() -> set[str]:
    """The modules of commands that call what prints a table."""
    found = set()
    for path in Path(mollia_cli.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called in ("table", "emit_list", "emit_stream") and path.stem != "common":
                found.add(path.stem)
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("drawn", OTHERS, ids=lambda drawn: drawn[0][0] or "kappa")
def test_other_tables_fit(drawn: Drawn, width: int) -> None:
    check(drawn, width)


def test_what_does_not_fit_is_continued_below_with_the_names() -> None:
    rows = [[name, *(f"0.{n}00" for n in range(10, 22))] for name in LLMS]
    columns = ["member", *(f"column {n}" for n in range(12))]
    drawn = tables.draw(columns, rows, [False, *[True] * 12], 80, "The panel")
    assert drawn.count(LLMS[1]) == 3 and drawn.count("The panel") == 1


def test_free_text_is_wrapped_at_its_spaces() -> None:
    text = "in the paper; its tokenizer's files are pinned at the first pull, and nothing else is known of it"
    drawn = tables.draw(["name", "note"], [[LLMS[1], text]], [False] * 2, 80, "")
    assert " ".join(word for word in drawn.split() if not set(word) <= {"─"}) == (f"name note {LLMS[1]} " + text)


def test_where_not_even_two_columns_fit_a_row_is_a_record() -> None:
    drawn = tables.draw(["model", "sha256"], [[LLMS[1], "ab" * 32]], [False] * 2, 60, "Models")
    assert drawn.split() == ["Models", "model", LLMS[1], "sha256", "ab" * 32]


def test_what_tells_the_rows_apart_is_repeated() -> None:
    rows = [[kind, name, *["0.123"] * 9] for kind in ("llm", "baseline") for name in ("a", "b")]
    drawn = tables.draw(["kind", "name", *(f"column{n}" for n in range(9))], rows, [False] * 11, 60, "")
    assert drawn.count("kind") == drawn.count("name") == 3


def test_one_run_has_no_deviation() -> None:
    assert _cell(Point(1, 50, (0.8,), 0.8, None, None)) == "0.800"
    assert _cell(Point(1, 50, (0.7, 0.9), 0.8, 0.1, None)) == "0.800 ± 0.100"


def test_two_measures_of_agreement_stand_with_what_sets_them_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Kappa .116 beside alpha -.161 looks like a mistake to who does not know them."""
    _show_agreement(LLMS[:2], Agreement(150, -0.161, ((1.0, 0.116), (0.116, 1.0))))
    said = capsys.readouterr().out
    assert all(said.count(name) == 1 for name in LLMS[:2]) and "-0.161" in said
    assert "Kappa takes chance from" in said.splitlines()[-2]
