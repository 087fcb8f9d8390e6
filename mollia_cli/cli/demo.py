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
    """Do the whole job on data that ships with mollia.

    690 messages to a clinic's front office, two LLMs, an aggregator, and a classifier trained round by round.

    Example: mollia demo
    """
    from mollia_cli.machine import demo as work

    started = time.monotonic()
    talk("1. a project with six labels, and the data that ships with mollia (CC0)")
    work.make_demo_project(folder, lambda remark: talk(f"   {remark}")).store.close()
    with open_project(folder, threads) as project:
        talk(f"2. {work.ROUNDS} rounds: choose {work.BATCH} messages, two small LLMs read them, an aggregator that")
        talk("   learned from 50 true labels how far to rely on each makes verdicts, a classifier trains on those")
        rounds = work.demo_run(project, lambda record: talk(f"   {summary(record)}"))
        talk("3. measure: everybody on the messages that the LLMs have read, the classifier on the test messages")
        scores = work.demo_scores(project)
        oracle = work.demo_oracle(project)
        seconds = time.monotonic() - started
    if as_json:
        emit_json(
            {
                "seconds": round(seconds, 1),
                "annotation_seconds": round(sum(record.seconds.get("annotate", 0.0) for record in rounds), 1),
                "scores": [asdict(score) for score in scores],
                "rounds": [round_row(record) for record in rounds],
                "oracle": oracle,
            }
        )
        return
    table(
        ["who", "accuracy", "macro-F1"],
        [[score.name, score.accuracy, score.macro_f1] for score in scores],
        f"The panel: accuracy on the {scores[0].items} messages that it has read",
    )
    show_rounds(rounds, False, "The classifier, trained on 50 true labels and the verdicts: 160 test messages")
    emit(
        "The same classifier trained on the true labels of the same messages (oracle): "
        f"micro-F1 {oracle['test_micro_f1']:.3f}, macro-F1 {oracle['test_macro_f1']:.3f}"
    )
    emit(f"Annotation and rounds together took {seconds:.0f} seconds.")
    emit(f"Try next:  cd {folder}")
    emit("           mollia status")
    emit("           echo 'my tablets are nearly finished' | mollia predict -")
    emit("           mollia select --strategy entropy -n 5")
