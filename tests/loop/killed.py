"""python killed.py FOLDER FILE PHASE...: `mollia run --replay FILE` there, killed in each phase, then to its end.

The phases come in the order in which two rounds go through them. One process imports everything and
forks, because importing takes longer than the runs.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

import transformers.models.bert.modeling_bert  # noqa: F401  the test encoder's: 5 s of importing

import mollia_cli.loop.run  # noqa: F401
from mollia_cli.cli.main import main
from mollia_cli.learners import transformer
from mollia_cli.learners.training import Trainer
from mollia_cli.store.observations import ObservationStore
from mollia_cli.store.runs import RunStore
from mollia_cli.store.verdicts import VerdictStore


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: type, method: str) -> None:
    """Die as soon as the method has done its work once."""
    work: Callable[..., Any] = getattr(owner, method)

    def last(*arguments: Any, **named: Any) -> None:
        work(*arguments, **named)
        die()

    setattr(owner, method, last)


def arm(phase: str) -> None:
    if phase == "train":
        after(Trainer, "_epoch")
    elif phase == "save":
        remove = shutil.rmtree
        # the model is written beside its place, and not moved there yet
        transformer.shutil.rmtree = lambda path, **k: remove(path, **k) if path.suffix == ".part" else die()  # type: ignore[assignment]
    elif phase == "evaluate":
        update = RunStore.update_round
        RunStore.update_round = lambda self, *a, **k: die() if k.get("metrics") else update(self, *a, **k)  # type: ignore[method-assign]
    elif phase == "select":
        RunStore.start_round = die  # type: ignore[method-assign, assignment]
    elif phase == "selected":
        after(RunStore, "start_round")
    elif phase == "annotate":
        after(ObservationStore, "add")
    elif phase == "fit":
        after(VerdictStore, "add_fit")
    elif phase == "aggregate":
        VerdictStore.add = die  # type: ignore[method-assign, assignment]


def run(folder: str, replay: str, phase: str) -> int:
    """The exit status of `mollia run`, killed in the phase; "" kills nothing."""
    child = os.fork()
    if not child:
        arm(phase)
        sys.argv = ["mollia", "-q", "run", "-p", folder, "--replay", replay, "--rounds", "1", "--threads", "1"]
        try:
            main()
        except SystemExit as error:
            os._exit(error.code if isinstance(error.code, int) else 1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for name in sys.argv[3:]:
        status = run(*sys.argv[1:3], name)
        assert status == -signal.SIGKILL, f"{name}: {status}"
    assert run(*sys.argv[1:3], "") == 0
