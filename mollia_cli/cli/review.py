"""``mollia review`` and ``mollia label``: the person in the loop."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    ProjectOption,
    RunOption,
    ThreadsOption,
    WhereOption,
    emit,
    excluded,
    limit_option,
    open_project,
    talk,
)
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.insight.review import Review

WhoOption = Annotated[str, typer.Option("--who", help="Whose decisions these are. Default: your user name.")]
OverlapOption = Annotated[
    int, typer.Option(help="Begin with the first so many items that others have labelled, their labels unseen.", min=0)
]
PlainOption = Annotated[
    bool,
    typer.Option("--plain", help="Line by line: answers on stdin, questions on stderr, decisions as JSON on stdout."),
]
WebOption = Annotated[
    bool, typer.Option("--web", help="In a browser on this machine: prints an address that works once. Ctrl-C ends it.")
]
PortOption = Annotated[
    int | None, typer.Option("--port", help="The port for --web. Default: a free one.", min=1, max=65535)
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
    where: WhereOption = None,
    overlap: OverlapOption = 0,
    disagreements: Annotated[
        bool, typer.Option("--disagreements", help="Only items that people disagree on: what you say there holds.")
    ] = False,
    run: RunOption = "",
    who: WhoOption = "",
    plain: PlainOption = False,
    web: WebOption = False,
    port: PortOption = None,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
) -> None:
    """Review verdicts, the least confident first, and label what is wrong.

    Shows each text with the verdict, what each LLM and the run's classifier think, and one key for each
    label; ? shows all keys, the labels' descriptions, and the guidelines if the project's folder has
    a guidelines.md. Every decision is stored at once, with who made it and when. Labels override
    verdicts and go into the next fit; `mollia run` learns from them and says what they changed.
    Where several people have labelled an item, what most of them say holds; without a majority it counts as
    unlabelled until somebody settles it with --disagreements. `mollia report panel` says how far people agree.

    Example: mollia review --below 0.7
    """
    from mollia_cli.insight.review import DOUBT, open_disagreements, open_review

    given = {"--strategy": strategy != DOUBT, "--below": below is not None, "--overlap": bool(overlap)}
    for option in (name for name in given if disagreements and given[name]):
        excluded("--disagreements", option, "it shows all that people disagree on, in the order of their answers")
    _check_form(plain, web, port)
    with open_project(project, threads) as opened:
        if disagreements:
            sitting = open_disagreements(opened, run, who, where or (), limit)
        else:
            sitting = open_review(opened, strategy, below, limit, run, who, where or (), overlap)
        _show(sitting, plain, web, port)


def label(
    seed: Annotated[int, typer.Option("--seed", help="Go on until the project has so many seed labels.", min=1)] = 50,
    overlap: OverlapOption = 0,
    who: WhoOption = "",
    plain: PlainOption = False,
    web: WebOption = False,
    port: PortOption = None,
    project: ProjectOption = None,
) -> None:
    """Label the first items: the seed labels that the panel learns from.

    Half of the items are drawn at random, and accuracy is measured on those. The other half are typical
    of the LLMs' observations, if they have read the pool (mollia annotate --split pool), else random, too.
    What machines think of them is not shown.
    Stopped and started again, it goes on where it was.
    Several people: each with an own --who. --overlap 20 puts the first 20 items that others have labelled before you,
    too, without their labels; `mollia report panel` says how far you agree, and `mollia review --disagreements` settles
    the rest.

    Example: mollia label --seed 50
    """
    from mollia_cli.insight.review import open_labelling

    _check_form(plain, web, port)
    with open_project(project) as opened:
        _show(open_labelling(opened, seed, who, overlap), plain, web, port)


def _check_form(plain: bool, web: bool, port: int | None) -> None:
    if plain and web:
        excluded("--plain", "--web", "one answers in the terminal, the other in a browser")
    if port is not None and not web:
        raise InputError("--port is the port of --web, which was not given", "add --web, or leave --port out")
    if not (plain or web) and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(
            "this needs a terminal, and standard input or standard error is none",
            "use --plain, which reads answers line by line, or --web, which asks in a browser",
        )


def _show(sitting: "Review", plain: bool, web: bool, port: int | None) -> None:
    if not sitting.queue:
        nothing = "nobody is in doubt here (--below, --strategy and --limit say what is shown)"
        if sitting.adjudicates:
            nothing = "people agree on every item that several of them have decided on"
        talk(f"there is nothing to review: {nothing}")
        return
    interrupted = False
    if plain:
        from mollia_cli.cli.review_plain import PlainReview

        PlainReview(sitting).run()
    elif web:
        from mollia_cli.cli.review_web import serve

        talk("open this address in a browser on this machine; it works once, and Ctrl-C here ends the review")
        serve(sitting, port or 0, emit)
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
    if not sitting.adjudicates and (n := sitting.disagreements):
        talk(f"people disagree on {count(n, 'item')} of these now: mollia review --disagreements")
    if acts["label"]:
        alone = "" if sitting.seed else "; for verdicts alone: mollia aggregate"
        talk(f"next: mollia run (learns from these labels){alone}")
