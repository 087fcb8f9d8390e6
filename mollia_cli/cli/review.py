"""``mollia review`` and ``mollia label``: the person in the loop."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import ProjectOption, RunOption, ThreadsOption, limit_option, open_project, talk
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.insight.review import Review

WhoOption = Annotated[str, typer.Option("--who", help="Whose decisions these are. Default: your user name.")]
PlainOption = Annotated[
    bool,
    typer.Option("--plain", help="Line by line: answers on stdin, questions on stderr, decisions as JSON on stdout."),
]


def review(
    strategy: Annotated[
        str,
        typer.Option(
            help="The query strategy, by which items come first.",
            autocompletion=complete.strategies,
        ),
    ] = "doubt",
    below: Annotated[
        float | None, typer.Option(help="Only items whose verdict has a lower confidence.", min=0.0, max=1.0)
    ] = None,
    limit: Annotated[int, limit_option("At most so many items; 0 for all.")] = 100,
    run: RunOption = "",
    who: WhoOption = "",
    plain: PlainOption = False,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
) -> None:
    """Review verdicts, the least confident first, and label what is wrong.

    Shows each text with the verdict, what each LLM and the run's classifier think, and one key for each
    label; ? shows all keys, the labels' descriptions, and the guidelines if the project's folder has
    a guidelines.md. Every decision is stored at once, with who made it and when. Labels override
    verdicts and go into the next fit; `mollia run` learns from them and says what they changed.

    Example: mollia review --below 0.7
    """
    from mollia_cli.insight.review import open_review

    _check_terminal(plain)
    with open_project(project, threads) as opened:
        _show(open_review(opened, strategy, below, limit, run, who), plain)


def label(
    seed: Annotated[int, typer.Option("--seed", help="Go on until the project has so many seed labels.", min=1)] = 50,
    who: WhoOption = "",
    plain: PlainOption = False,
    project: ProjectOption = None,
) -> None:
    """Label the first items: the seed labels that the panel learns from.

    Half of the items are drawn at random, and accuracy is measured on those. The other half are typical
    of the LLMs' observations, if they have read the pool (mollia annotate --split pool), else random, too.
    What machines think of them is not shown.
    Stopped and started again, it goes on where it was.

    Example: mollia label --seed 50
    """
    from mollia_cli.insight.review import open_labelling

    _check_terminal(plain)
    with open_project(project) as opened:
        _show(open_labelling(opened, seed, who), plain)


def _check_terminal(plain: bool) -> None:
    if not plain and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(
            "this needs a terminal, and standard input or standard error is none",
            "use --plain, which reads answers line by line",
        )


def _show(sitting: "Review", plain: bool) -> None:
    if not sitting.queue:
        talk("there is nothing to review: nobody is in doubt here (--below, --strategy and --limit say what is shown)")
        return
    interrupted = False
    if plain:
        from mollia_cli.cli.review_plain import PlainReview

        PlainReview(sitting).run()
    else:
        from mollia_cli.cli.review_app import ReviewApp

        app = ReviewApp(sitting)
        app.run()
        interrupted = app.interrupted
    _sum_up(sitting)
    if interrupted:
        raise KeyboardInterrupt


def _sum_up(sitting: "Review") -> None:
    acts = Counter(decision.act for decision in sitting.made)
    against = sum(decision.contradicts for decision in sitting.made)
    judged = sum(decision.act == "label" and decision.verdict is not None for decision in sitting.made)
    labels, notes = count(acts["label"], "label"), count(acts["note"], "note")
    talk(f"stored: {labels}, {acts['ignore']} ignored, {notes}, by {sitting.who}")
    if judged:
        talk(f"{against} of {judged} labels contradict the verdict")
    if acts["label"]:
        alone = "" if sitting.seed else "; for verdicts alone: mollia aggregate"
        talk(f"next: mollia run (learns from these labels){alone}")
