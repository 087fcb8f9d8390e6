"""What commands share: options, output (stdout is data, stderr is talk), progress bars, ids from a pipe."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn, TextIO, cast

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.progress import ProgressBar
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.files import check_local
from mollia_cli.domain.printable import printable, printable_json

if TYPE_CHECKING:
    from mollia_cli.project.context import Project

ProjectOption = Annotated[
    Path | None,
    typer.Option("-p", "--project", help="The project's folder. Default: $MOLLIA_PROJECT, else the nearest parent."),
]
# What --json prints, by what a command is about (docs/scripting.md): one thing, a list of records, a stream of items.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonListOption = Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print JSON lines, one an item (the default in a pipe).")]

RunOption = Annotated[str, typer.Option("--run", metavar="NAME", help="The run. Default: the one used last.")]
RoundOption = Annotated[
    int | None, typer.Option("--round", metavar="N", help="The round whose model is used. Default: the run's best.")
]
SplitOption = Annotated[
    str, typer.Option("--split", help="pool (to be labelled), seed, validation or test (with true labels).")
]
ModelOption = Annotated[
    str,
    typer.Option("--model", help="One LLM of the panel. Default: all of them.", autocompletion=complete.models),
]
TextColumnOption = Annotated[str | None, typer.Option("--text-column", help="The column of the text.")]
IdColumnOption = Annotated[str | None, typer.Option("--id-column", help="The column of your own ids.")]
FormatOption = Annotated[
    str,
    typer.Option("--format", help="The file's format (mollia choices readers). Default: from its name and content."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Only items whose column in the imported file has this value. Several: all must hold.",
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", help="CPU threads; 0 measures. Default: the project's setting.", min=0)
]
PaperOption = Annotated[
    bool, typer.Option("--paper", help="The paper's values (docs/methods.md), where no other option says otherwise.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def excluded(one: str, other: str, why: str) -> NoReturn:
    """Raise InputError for two options of which one would have no effect; ``why``."""
    raise InputError(f"{one} and {other} exclude each other: {why}", f"type it without {one}, or without {other}")


def one_label_only(what: str, given: bool) -> None:
    """RefusedError for an option that was given in a project whose texts may have several labels."""
    if given:
        raise RefusedError(f"{what} is not for projects with several labels yet", "do without it (docs/multilabel.md)")


def check_cascade(cascade: bool, threshold: float | None) -> None:
    """InputError for a threshold of no cascade."""
    if threshold is not None and not cascade:
        raise InputError(
            "--threshold says when a cascade asks no further LLM, and --cascade is not given",
            "add --cascade small,large",
        )


def limit_option(help: str, least: int = 0) -> Any:
    """``-n``: at most so many records are shown or processed."""
    return typer.Option("-n", "--limit", help=help, min=least)


def out_option(help: str) -> Any:
    """``-o``: the file or folder that a command writes."""
    return typer.Option("-o", "--out", metavar="FILE", help=help)


_FEW = 20  # records that people read one by one
state = {"quiet": False, "debug": False}


def talk(remark: str) -> None:
    """A remark for people, on stderr; silent with --quiet."""
    if not state["quiet"]:
        print(printable(remark, keep="\n\t"), file=sys.stderr, flush=True)


@contextmanager
def open_project(
    folder: Path | None, threads: int | None = None, changing_labels: bool = False, several: bool = False
) -> Iterator["Project"]:
    """The project, with its remarks and progress going to stderr; ``threads`` overrides its settings.

    several: the command knows of texts with several labels; changing_labels, several: see ``Project.open_any``.
    """
    from mollia_cli.project.context import Project

    opened = Project.open_any if several else Project.open
    with opened(folder, talk, changing_labels) as project, progress_bar() as progress:
        if threads is not None:
            project.use_threads(threads)
        project.progress = progress
        project.ask = partial(_ask_between, progress)
        yield project


def ask(question: str) -> str:
    """What a person answers on stdin to a question on stderr; the end of the input stops the command."""
    print(printable(question, keep="\n"), file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        raise MolliaError("there are no more answers", "those given are kept; the same command asks for the rest")
    return answer


def _ask_between(progress: ProgressBar, question: str) -> str:
    """``ask`` with no bar on the screen, which would be drawn over what the person types."""
    progress.stop()
    return ask(question)


def confirm(question: str, yes: bool) -> None:
    """Ask before something goes for good, unless ``yes``; RefusedError where nobody can be asked, or says no."""
    if yes:
        return
    if not somebody_answers():
        raise RefusedError("nobody can be asked: standard input is no terminal", "to do it without a question: --yes")
    if ask(f"{question}. Type yes:").strip().casefold() != "yes":
        raise RefusedError("nothing was changed", "answer yes, or give --yes")


def somebody_answers() -> bool:
    """Whether standard input is a person's."""
    return sys.stdin.isatty()


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """A progress callback that draws on stderr where that is a terminal, and only for what takes long."""
    bar = ProgressBar(sys.stderr.isatty() and not state["quiet"])
    try:
        yield bar
    finally:
        bar.stop()


@contextmanager
def stdout_reader() -> Iterator[None]:
    """Around what writes to stdout: a reader that has gone (``| head``) ends the command quietly, with status 0."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered has no reader either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def emit(text: str, end: str = "\n") -> None:
    """Lines of data on stdout; exact in a pipe or a file, with nothing that could steer it on a terminal."""
    with stdout_reader():
        print(text, file=data_out(), end=end)


def data_out() -> TextIO:
    """Where data goes: stdout, behind ``printable`` where that is a terminal."""
    return cast(TextIO, _Shown()) if sys.stdout.isatty() else sys.stdout


class _Shown(io.TextIOBase):
    """Stdout for a person: its characters are shown, and do nothing else."""

    def write(self, text: str) -> int:
        return sys.stdout.write(printable(text, keep="\n\t"))


def emit_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV on stdout."""
    from mollia_cli.insight.export import write_rows

    with stdout_reader():
        write_rows(rows, data_out(), "csv")


def emit_json(value: Any) -> None:
    """One JSON document, indented."""
    emit(printable_json(value, indent=2))


def emit_list(
    records: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    as_json: bool = False,
    shown_as: Mapping[str, Callable[[Any], str]] = MappingProxyType({}),
) -> None:
    """Records as a table on a terminal; as one JSON array in a pipe, or when asked. Keys are the table's columns.

    ``shown_as``: how the table writes the cells of a column.
    """
    if as_json or not sys.stdout.isatty():
        before = "["
        for record in records:
            emit(before + printable_json({column: record[column] for column in columns}), end="")
            before = ",\n "
        emit("]" if before != "[" else "[]")
    else:
        _show(records, columns, shown_as)


def emit_stream(
    records: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    as_json: bool = False,
    summary: Callable[[Iterable[Mapping[str, Any]]], None] | None = None,
) -> None:
    """Records of items as JSON lines in a pipe, each when it is there, or when asked; on a terminal as a table.

    summary: prints instead what people want to know of more than ``_FEW`` of them.
    """
    if as_json or not sys.stdout.isatty():
        for record in records:
            emit(printable_json(record))
        return
    rest = iter(records)
    first = list(islice(rest, _FEW + 1)) if summary else []
    if summary and len(first) > _FEW:
        summary(chain(first, rest))
        talk("each of them: the same command with --json, or in a pipe (| less)")
    else:
        _show(chain(first, rest), columns)


def by_label(records: Iterable[Mapping[str, Any]]) -> None:
    """A summary of many records that have a label and a confidence: how many of each, and how confident."""
    confidences: dict[str, list[float]] = {}
    for record in records:
        confidences.setdefault(record["label"], []).append(record["confidence"])
    total = sum(map(len, confidences.values()))
    found = sorted(confidences.items(), key=lambda pair: -len(pair[1]))
    rows = [[name, len(seen), f"{len(seen) / total:.1%}", sum(seen) / len(seen)] for name, seen in found]
    everything = sum(sum(seen) for seen in confidences.values()) / total
    table(["label", "items", "share", "mean confidence"], [*rows, ["all", total, "", everything]])


def _show(
    records: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    shown_as: Mapping[str, Callable[[Any], str]] = MappingProxyType({}),
) -> None:
    rows = ({**record, **{name: show(record[name]) for name, show in shown_as.items()}} for record in records)
    table(columns, ([row.get(column) for column in columns] for row in rows))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table for people, on stdout, at most as wide as the terminal; no name, number or heading is cut."""
    from mollia_cli.cli.tables import draw  # rich takes time that `mollia --help` has not

    cells, numeric = [], [True] * len(columns)
    for row in rows:
        numeric = [flag and isinstance(cell, (int, float, type(None))) for flag, cell in zip(numeric, row, strict=True)]
        cells.append([shown(cell) for cell in row])
    drawn = draw([printable(column) for column in columns], cells, numeric, _table_width(), printable(title))
    with stdout_reader():
        print(drawn)  # printable, but for rich's own styles


def _table_width() -> int:
    """The terminal's width; of a pipe or a file without one, enough for most tables."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else 200


def shown(value: Any) -> str:
    """A cell as people read it: fractions with three digits, nothing for None or False, control characters visible."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, (list, tuple)):
        return printable(", ".join(map(str, value)))
    if isinstance(value, dict):
        return ", ".join(f"{printable(str(key))} {shown(part)}" for key, part in value.items())
    return printable(str(value))


def read_ids(source: str) -> list[str]:
    """Item ids from ``-`` (standard input) or a file: one id a line, or JSON objects with an "id"; each kept once."""
    ids: dict[str, None] = {}
    for number, line in enumerate(read_text(source).split("\n"), 1):
        text = line.strip()
        if not text:
            continue
        if text.startswith("{"):
            try:
                text = str(json.loads(text)["id"])
            except (json.JSONDecodeError, KeyError) as error:
                raise InputError(
                    f"line {number} of the ids is no JSON object with an id: {text[:60]}",
                    'give one id a line, or records with an "id" as `mollia select --json` prints them',
                ) from error
        ids[text] = None
    return list(ids)


def source_of(file: str) -> tuple[Path | BinaryIO, str]:
    """What to read for a file's name, or for ``-`` standard input, and what to call it in messages."""
    return (sys.stdin.buffer, "standard input") if file == "-" else (Path(file), file)


def read_text(source: str) -> str:
    """The whole UTF-8 text of a file, or of standard input for ``-``. Raises NotFoundError or InputError."""
    check_local(source)
    name = "standard input" if source == "-" else source
    try:
        return (sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()).decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"no file is called {source}", "check the path, or give - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{source} is a folder", "give a file of it") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 (byte {error.start + 1})", "convert it, for example with iconv"
        ) from None


def split_names(value: str) -> list[str]:
    """A comma-separated option as a list."""
    return [part.strip() for part in value.split(",") if part.strip()]
