"""The program ``mollia``: its commands, and what becomes of errors."""

import errno
import os
import shlex
import sys
from typing import Annotated

import typer

from mollia_cli import __version__
from mollia_cli.cli import (
    aggregate,
    annotate,
    bench,
    bundle,
    compare,
    demo,
    doctor,
    estimate,
    evaluate,
    explain,
    export,
    forget,
    generate,
    import_,
    init,
    models,
    panel,
    predict,
    prompt,
    report,
    rerun,
    review,
    rounds,
    select,
    sql,
    status,
    verify,
)
from mollia_cli.cli.common import emit, state
from mollia_cli.domain.errors import EXIT_FAILURE, EXIT_INTERRUPTED, MolliaError
from mollia_cli.domain.network import guard, refused
from mollia_cli.domain.printable import printable
from mollia_cli.domain.processor import check_processor

# How the dynamic loader and PyTorch say that there is no memory left.
_NO_MEMORY = ("failed to map segment", "annot allocate memory", "can't allocate memory")

app = typer.Typer(
    name="mollia",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Label private text with a panel of small local LLMs and train a classifier from those labels.",
    epilog=(
        "Data goes to stdout, remarks to stderr. Exit status: 0 done (also when the reader of a pipe has gone),"
        " 1 failed, 2 a wrong option or input, 3 not found, 4 refused, 130 stopped with Ctrl-C."
    ),
)
app.command("init")(init.init)
app.command("import")(import_.import_)
app.add_typer(models.app, name="models")
app.add_typer(panel.app, name="panel")
app.add_typer(prompt.app, name="prompt")
app.command("annotate")(annotate.annotate)
app.command("aggregate")(aggregate.aggregate)
app.command("select")(select.select)
app.command("train")(rounds.train)
app.command("label")(review.label)
app.command("review")(review.review)
app.command("round")(rounds.round_)
app.command("run")(rounds.run_)
app.command("rerun")(rerun.rerun)
app.command("generate")(generate.generate)
app.command("estimate")(estimate.estimate)
app.command("compare")(compare.compare)
app.command("status")(status.status)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.add_typer(report.app, name="report")
app.add_typer(export.app, name="export")
app.command("sql")(sql.sql)
app.command("explain")(explain.explain)
app.command("forget")(forget.forget)
app.command("verify")(verify.verify)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(bench.app, name="bench")
app.command("bundle")(bundle.bundle)
app.command("unbundle")(bundle.unbundle)
app.command("aggregators")(aggregate.aggregators)
app.command("strategies")(select.strategies)


def _version(asked: bool) -> None:
    if asked:
        emit(f"mollia {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No remarks and no progress on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before the command."""
    state["quiet"] = quiet
    state["debug"] = debug or bool(os.environ.get("MOLLIA_DEBUG"))
    check_processor()


def main() -> None:
    """Run the command line, without a network; every failure becomes one message with a hint and an exit status."""
    os.umask(0o077)  # whatever this process and its libraries write is its owner's alone
    guard()
    try:
        app(prog_name="mollia")
    except MolliaError as error:
        _fail(error, error.message, error.hint, error.exit_code)
    except OSError as error:
        _fail(error, *_of_the_system(error), EXIT_FAILURE)
    except SystemExit as error:
        if error.code == EXIT_INTERRUPTED:
            again = shlex.join(["mollia", *sys.argv[1:]])
            print(f"\nmollia: stopped; what was finished is kept\n  to go on: {again}", file=sys.stderr)
        if isinstance(error.__context__, BrokenPipeError):
            sys.exit(0)  # a help that nobody reads: click prints it, and would end with 1
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
            _fail(error, "out of memory", "use a smaller model, or close other programs", EXIT_FAILURE)
        _fail(
            error,
            f"unexpected {type(error).__name__}: {error}",
            "run it again with --debug and report it",
            EXIT_FAILURE,
        )
    finally:
        for where in sorted(set(refused())):  # by a library, which may have kept the error to itself
            print(f"mollia: refused a connection to {printable(where)}; nothing was sent", file=sys.stderr)


def _of_the_system(error: OSError) -> tuple[str, str]:
    """Message and hint for what the operating system refused."""
    name = error.filename2 or error.filename  # of a copy, the file that was written
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f": {name} could not be written" if name else ""
        return f"the disk is full{where}", "free some space, then type the same again; what was finished is kept"
    if error.errno == errno.ENOMEM:
        return f"out of memory ({error})", "use a smaller model, or close other programs"
    what = f"{name}: {error.strerror}" if name else str(error)
    return what, "check the path, its permissions and the free disk space"


def _fail(error: Exception, message: str, hint: str, code: int) -> None:
    if state["debug"]:
        raise error
    # a message names values of other people's: texts, labels, file names
    print(printable(f"mollia: {message}", keep="\n"), file=sys.stderr)
    if hint:
        print(printable(f"  try: {hint}", keep="\n"), file=sys.stderr)
    sys.exit(code)
