"""The network guard inside Dask's workers: ours here, and those of nodes (``dask worker --preload`` of this module).

One of ours has one thread, and is gone when who started it is, whatever happened to that.
"""

import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from mollia_cli.domain.network import guard, reaching
from mollia_cli.engines.dask import CONFIG, HERE, START_SECONDS, security

_STAYS = ExitStack()  # as long as the process


def dask_setup(worker: Any) -> None:
    """A node's worker, which has its own listener by now, reaches from now on its scheduler and its own machine."""
    guard()
    for address in (worker.scheduler.address, worker.address):
        _STAYS.enter_context(reaching(str(urlsplit(address).hostname)))


def main(address: str, folder: Path) -> None:
    """Work for the scheduler of that address until standard input ends; the folder is removed then."""
    guard()
    Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    with reaching(HERE):
        asyncio.run(_work(address, folder))


def _end_with_parent(folder: Path) -> None:
    sys.stdin.buffer.read()
    rmtree(folder, ignore_errors=True)
    os._exit(0)  # at once: llama.cpp may be in the middle of a batch that nobody waits for any more


async def _work(address: str, folder: Path) -> None:
    import dask
    from distributed import Worker

    with dask.config.set(CONFIG):
        worker = Worker(
            address,
            nthreads=1,
            host=HERE,
            security=security(folder / "tls", "worker", address),
            memory_limit=0,
            local_directory=str(folder),
            death_timeout=START_SECONDS,
            dashboard=False,
        )
        async with worker:
            await worker.finished()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
