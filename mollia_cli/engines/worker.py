"""python -m mollia_cli.engines.worker PARENT: the process that the engine ``local`` starts for each of its workers.

A line of its standard input is a JSON array, [function, text, ...]; a line of its standard output is the answer
(``calls.answer``). It has nothing that is not somewhere else, so it ends at once when its input ends, or its parent.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from mollia_cli.domain.network import guard
from mollia_cli.engines.calls import answer

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer one call after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _end_with(int(sys.argv[1]))
    guard()
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what libraries print is no answer
    calls = SimpleQueue[bytes]()
    Thread(target=_listen, args=(calls,), daemon=True).start()
    while True:
        function, *texts = json.loads(calls.get())
        answers.write(answer(function, *texts) + "\n")
        answers.flush()


def _listen(calls: "SimpleQueue[bytes]") -> None:
    """Hand over what comes, and end the process, whatever it computes, when nothing can come any more."""
    for line in sys.stdin.buffer:
        calls.put(line)
    os._exit(0)


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, where it can (Linux)."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it has ended before
        os._exit(0)


if __name__ == "__main__":
    main()
