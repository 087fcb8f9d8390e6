"""``mollia demo``."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonOption, ThreadsOption, emit, emit_json, open_project, table, talk
from mollia_cli.cli.rounds import show_rounds, summary


def demo(
    folder: Annotated[Path, typer.Argument(help="The demo project's folder; must not hold a project.")] = Path(
        "mollia-demo"
    ),
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the whole job on data that ships with mollia.

    690 messages to a clinic's front office, two LLMs, MoLAM, and a classifier trained round by round.

    Example: mollia demo
    """
    from mollia_cli.workflow import demo as work
    from mollia_cli.workflow.status import round_row

    started = time.monotonic()
    talk("1. a project with six labels, and the data that ships with mollia (CC0)")
    work.make_demo_project(folder, lambda remark: talk(f"   {remark}")).store.close()
    with open_project(folder, threads) as project:
        talk("2. two small LLMs annotate; 50 messages with true labels teach MoLAM whom to believe")
        scores = work.demo_scores(project)
        annotated = time.monotonic()
        talk(f"   done in {annotated - started:.0f} seconds")
        talk(f"3. {work.ROUNDS} rounds of active learning on the panel's labels, then once with the true ones")
        rounds = work.demo_run(project, lambda record: talk(f"   {summary(record)}"))
        oracle = work.demo_oracle(project)
        seconds = time.monotonic() - started
    if as_json:
        emit_json(
            {
                "seconds": round(seconds, 1),
                "annotation_seconds": round(annotated - started, 1),
                "scores": [asdict(score) for score in scores],
                "rounds": [round_row(record) for record in rounds],
                "oracle": oracle,
            }
        )
        return
    table(
        ["who", "accuracy", "macro-F1"],
        [[score.name, score.accuracy, score.macro_f1] for score in scores],
        f"Right labels on {scores[0].items} test messages",
    )
    show_rounds(rounds, False, "Classifier trained on the panel's labels (no human label beyond the 50 seeds)")
    emit(
        "The same classifier on the same messages with their true labels (oracle): "
        f"micro-F1 {oracle['test_micro_f1']:.3f}, macro-F1 {oracle['test_macro_f1']:.3f}"
    )
    emit(f"Annotation and rounds together took {seconds:.0f} seconds.")
    emit(f"Try next:  cd {folder}")
    emit("           mollia status")
    emit("           echo 'my tablets are nearly finished' | mollia predict -")
    emit("           mollia select --strategy entropy -n 5")
