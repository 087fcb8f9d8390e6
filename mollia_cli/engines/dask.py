"""Dask distributed: workers of this machine that end with the command, or those of a scheduler that runs already.

What crosses is text: every task is a function's name and two JSON texts, and its result is one. Dask itself pickles
the call (a reference to ``calls.answer`` and those texts) on its own connections, which mutual TLS closes to others.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from time import monotonic, sleep
from typing import Any, Self
from uuid import uuid4

import mollia_cli
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.network import reaching
from mollia_cli.domain.printable import count
from mollia_cli.domain.processes import sweep
from mollia_cli.engines import calls, certificates
from mollia_cli.engines.address import Address
from mollia_cli.engines.base import ENDS, Engine, EngineContext, LostError

HERE = "127.0.0.1"
START_SECONDS = 60.0  # that the first worker may take to be there, and all of them to come back
ANSWER_SECONDS = 30.0  # that a scheduler may take for an answer
_LOOK_SECONDS = 5.0  # between two looks at the workers
_IN_FLIGHT = 2  # tasks a worker: the one that it has, and the next
_FOLDER = "mollia-dask-"
_QUIET = {name: {"level": "CRITICAL"} for name in ("distributed", "tornado", "asyncio")}
CONFIG = {
    "logging": {"version": 1, "disable_existing_loggers": False, "loggers": _QUIET},
    "distributed.scheduler.allowed-failures": ENDS - 1,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.http.routes": [],  # nothing is shown to a browser
    "distributed.worker.http.routes": [],
    "distributed.worker.memory.pause": False,  # a model that fills the memory is asked all the same
    "distributed.comm.timeouts.connect": f"{ANSWER_SECONDS:.0f}s",
}


class DaskEngine(Engine):
    """Without an address, a scheduler in this process and guarded workers of one thread, on the loopback alone."""

    def __init__(self, address: Address | None, workers: int, folder: Path) -> None:
        self._address = address
        self._wanted = workers
        self._certificates = folder
        self._stack = ExitStack()
        self._client: Any = None
        self._there = 0
        self._looked = 0.0
        self._empty_since: float | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._died = 0  # of our own workers since a task was done
        self._command: list[str] = []
        self._log = Path()

    @classmethod
    def from_context(cls, context: EngineContext) -> Self:
        """Nothing is started; InputError without Dask, or for what is no address."""
        if find_spec("distributed") is None:
            raise InputError("the engine dask needs Dask", "install it: pip install 'mollia[dask]'")
        address = Address.parse(context.address) if context.address else None
        return cls(address, context.workers, Path(context.certificates))

    def start(self) -> None:
        """Start a scheduler and workers here, or connect to one; the first worker must be there, of our own all."""
        import dask

        with ExitStack() as stack:
            stack.enter_context(dask.config.set(CONFIG))
            if self._address is None:
                address, folder = self._start_here(stack)
            else:
                address, folder = str(self._address), self._certificates
                stack.enter_context(self._address.reached())
                certificates.check(self._address, folder)
            self._client = stack.enter_context(_client(address, security(folder, "client", address)))
            self._wait_for_workers()
            self._stack = stack.pop_all()

    def _start_here(self, stack: ExitStack) -> tuple[str, Path]:
        """The scheduler's address and the folder of the certificates; everything made here ends with the stack."""
        sweep(Path(gettempdir()), _FOLDER)
        folder = Path(mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))
        stack.callback(rmtree, folder, ignore_errors=True)
        certificates.make(folder / "tls")
        stack.enter_context(reaching(HERE))
        from distributed import Scheduler, SpecCluster

        tls = security(folder / "tls", "scheduler", "tls://")
        options = {"host": HERE, "port": 0, "protocol": "tls://", "security": tls}
        options |= {"dashboard": False, "dashboard_address": f"{HERE}:0"}
        spec = {"cls": Scheduler, "options": options}
        cluster = stack.enter_context(SpecCluster(scheduler=spec, security=tls, silence_logs=False))
        address = str(cluster.scheduler_address)
        self._log = folder / "workers.log"
        self._command = [sys.executable, "-P", "-m", "mollia_cli.engines.dask_worker", address, str(folder)]
        stack.callback(self._end_processes)
        self._processes = [self._process() for _ in range(self._wanted)]
        return address, folder / "tls"

    def _process(self) -> subprocess.Popen[bytes]:
        """A worker; it ends when its standard input does, so also with this process, however that ends."""
        package = str(Path(mollia_cli.__file__).parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is this process's to answer
                env={**os.environ, "PYTHONPATH": paths},
            )

    def _end_processes(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()
            process.wait()
        self._processes = []

    def close(self) -> None:
        """End what was started here; a scheduler of somewhere else, and its workers, stay."""
        self._stack.close()
        self._client = None

    @property
    def workers(self) -> int:
        """How many there were at the last look."""
        return self._there

    def everywhere(self, function: str, common: str) -> list[str]:
        """Each worker is asked once; one that ends meanwhile is left out."""
        ended: SimpleQueue[Any] = SimpleQueue()
        asked = {address: self._submit(ended, function, common, workers=[address]) for address in self._addresses()}
        found = []
        while asked:
            self._look()
            with suppress(Empty):
                future = ended.get(timeout=1.0)
                found.append(self._result(future, 0))
                asked = {address: other for address, other in asked.items() if other is not future}
            there = self._addresses() if asked else []
            asked = {address: future for address, future in asked.items() if address in there}
        return found

    def map(self, function: str, common: str, tasks: Iterable[str]) -> Iterator[tuple[int, str]]:
        """One task a worker at a time, and the next one waiting for it."""
        numbered = enumerate(tasks)
        ended: SimpleQueue[Any] = SimpleQueue()
        running: dict[Any, int] = {}
        try:
            while True:
                while len(running) < _IN_FLIGHT * max(self._there, 1):
                    number, task = next(numbered, (-1, ""))
                    if number < 0:
                        break
                    running[self._submit(ended, function, common, task)] = number
                if not running:
                    return
                self._look()
                with suppress(Empty):
                    future = ended.get(timeout=1.0)
                    result = self._result(future, running[future])
                    self._died = 0
                    yield running.pop(future), result
        finally:
            if running and self._client.status == "running":
                self._client.cancel(list(running))

    def _submit(self, ended: "SimpleQueue[Any]", *texts: str, workers: list[str] | None = None) -> Any:
        """The future of a call, which is put into ``ended`` when it has ended; ``workers``: the only ones to do it."""
        future = self._client.submit(calls.answer, *texts, key=f"mollia-{uuid4().hex}", workers=workers)
        future.add_done_callback(ended.put)
        return future

    def _result(self, future: Any, number: int) -> str:
        """What a task that ended has left, or raised; LostError where it has ended too many workers."""
        from distributed import KilledWorker

        answered = None
        try:
            while answered is None:
                try:
                    answered = str(future.result(timeout=ANSWER_SECONDS))
                except TimeoutError:  # the worker that had it has died, and another one does it again
                    self._look()
        except RefusedError:
            raise
        except KilledWorker as error:
            raise LostError(number, f", the last one at {error.last_worker.address}") from error
        except Exception as error:  # Dask raises CancelledError, CommClosedError, TimeoutError and more
            if future.status == "error":  # not of ours, which come as an answer
                why = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                raise RefusedError(
                    f"a worker cannot be given work: {why}", "install the same versions of mollia and Dask there"
                ) from error
            raise self._lost(error) from error
        return calls.read(answered)

    def _look(self) -> None:
        """Now and then: are workers there, and does the scheduler answer? Our own workers that died are replaced."""
        self._replace()
        if monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._there = len(self._addresses())
        self._looked = monotonic()
        if self._there:
            self._empty_since = None
            return
        self._empty_since = self._empty_since or monotonic()
        if monotonic() - self._empty_since > START_SECONDS:
            raise RefusedError(
                f"no worker has been left for {START_SECONDS:.0f} seconds",
                "start workers; what is stored stays, and the same command goes on",
            )

    def _replace(self) -> None:
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                self._died += 1
                if self._died > ENDS * self._wanted:
                    raise RefusedError(f"workers end again and again: {self._last_words()}", "")
                assert process.stdin is not None
                process.stdin.close()
                self._processes[place] = self._process()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.is_file() else []
        return lines[-1] if lines else "they wrote no reason"

    def _addresses(self) -> list[str]:
        """The workers' addresses, which a person may have given more than one thread."""
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=ANSWER_SECONDS)
        except Exception as error:  # whatever a connection can break with
            raise self._lost(error) from error
        for address, number in threads.items():
            if number != 1:
                raise RefusedError(
                    f"the worker {address} has {count(number, 'thread')}, so that it would get several tasks at once",
                    "start it as `dask worker --nthreads 1 --nworkers N`, for N of them",
                )
        return sorted(threads)

    def _lost(self, error: Exception) -> RefusedError:
        late = isinstance(error, TimeoutError)
        why = f"no answer came within {ANSWER_SECONDS:.0f} seconds" if late else "the connection broke"
        return RefusedError(
            f"the scheduler {self._client.scheduler.address} is lost: {why}",
            "what is stored stays; start it again, and the same command goes on",
        )

    def _wait_for_workers(self) -> None:
        """Until the first one is there, of our own all."""
        begin = monotonic()
        while (there := len(self._addresses())) < max(len(self._processes), 1):
            self._replace()
            if monotonic() - begin > START_SECONDS:
                break
            sleep(0.1)
        if not there:
            raise RefusedError(
                f"no worker has come within {START_SECONDS:.0f} seconds"
                + (f": {self._last_words()}" if self._processes else ""),
                ""
                if self._processes
                else "start workers on your machines: mollia engine certificates --host HOST says how",
            )
        self._there = there


def _client(address: str, tls: Any) -> Any:
    from distributed import Client

    try:
        return Client(address, security=tls, timeout=ANSWER_SECONDS, set_as_default=False, direct_to_workers=False)
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"no connection to the scheduler {address}: {error}", "is it Dask's, and running?"
        ) from error


def security(folder: Path, role: str, address: str) -> Any:
    """Dask's own object for mutual TLS; None for an address of this machine without."""
    from distributed.security import Security

    if not address.startswith("tls"):
        return None
    authority, certificate, key = certificates.files(folder, role)
    roles = {
        f"tls_{each}_{what}": path
        for each in certificates.ROLES
        for what, path in (("cert", certificate), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=authority, **roles)
