"""``mollia demo``."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ThreadsOption, emit, emit_json, open_project, table, talk
from mollia_cli.cli.rounds import round_row, show_rounds, summary


def demo(
    folder: Annotated[Path, typer.Argument(help="The demo project's folder; must not hold a project.")] = Path(
        "mollia-demo"
    ),
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the whole job on data that ships with mollia, beside what the labels alone would have done.

    690 messages to a clinic's front office, a small LLM, two encoders, and a classifier that learns from all of them.

    Example: mollia demo
    """
    from mollia_cli.machine import demo as work

    started = time.monotonic()
    talk("1. a project with six labels, and the data that ships with mollia (CC0)")
    work.make_demo_project(folder, lambda remark: talk(f"   {remark}")).store.close()
    with open_project(folder, threads) as project:
        talk("2. round 0: a classifier from 50 true labels alone, on what an encoder makes of the messages;")
        talk(f"   then {work.ROUNDS} rounds: a small LLM reads {work.BATCH} more messages, the mixture of it and two")
        talk("   encoders makes verdicts, and the classifier learns from their probabilities")
        rounds = work.demo_run(project, lambda record: talk(f"   {summary(record)}"))
        talk(f"3. the same from {work.DRAWS} random sets of 50 labels, beside what labels alone would have done")
        found = work.demo_comparison(project)
        seconds = time.monotonic() - started
    if as_json:
        emit_json(
            {
                "seconds": round(seconds, 1),
                "annotation_seconds": round(sum(record.seconds.get("annotate", 0.0) for record in rounds), 1),
                "rounds": [round_row(record) for record in rounds],
                "comparison": [asdict(line) for line in found.lines],
                "labels_needed": found.needed,
            }
        )
        return
    show_rounds(rounds, False, "The classifier of the project: 160 test messages")
    table(
        ["who", "true labels", "test accuracy", "deviation", "draws"],
        [[line.name, line.labels, line.accuracy, line.deviation, line.draws] for line in found.lines],
        "What they would have done with the same messages",
    )
    many = f"about {found.needed}" if found.needed else "more than all of them"
    emit(f"50 labels with mollia did what {many} do without an LLM. It took {seconds:.0f} seconds.")
    emit(f"Try next:  cd {folder}")
    emit("           mollia status")
    emit("           echo 'my tablets are nearly finished' | mollia predict -")
    emit("           mollia select --strategy entropy -n 5")
