"""Ray: workers of this machine that end with the command, or those of a cluster that this machine is a node of.

What crosses is text, as in every engine; Ray itself pickles the worker's class by reference and the texts. Ray's own
processes are native code, whose sockets the network guard cannot see: docs/trust.md says what they were seen to do.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from time import monotonic
from typing import Any, Self

import mollia_cli
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.network import guard, reaching
from mollia_cli.domain.processes import sweep
from mollia_cli.engines import calls, certificates
from mollia_cli.engines.address import Address
from mollia_cli.engines.base import ENDS, Engine, EngineContext, LostError

HERE = "127.0.0.1"
UNGUARDED = "Ray's processes are native code, whose sockets the network guard cannot see (docs/trust.md)"
START_SECONDS = 60.0  # that workers may take to be there, and to come back
_FOLDER = "mollia-ray-"
_TOKEN = token_hex(32)  # of this process: Ray reads it once
_STORE = 80_000_000  # bytes of shared memory, Ray's least: nothing of ours is kept there
_PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_event_stats": "0",
}
# A cluster of more than one machine is out of the question; without this, Ray listens on all interfaces.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# Its dashboard asks Azure's, Google's and Amazon's metadata servers where it is, also with statistics off: through a
# proxy that nobody is.
_NO_PROBE = {"http_proxy": f"http://{HERE}:9", "no_proxy": f"{HERE},::1,localhost"}


class _Worker:
    """What Ray calls an actor: a process that does one call at a time; Python's sockets reach its own cluster only."""

    def __init__(self) -> None:
        import ray

        guard()
        self._reached = ExitStack()  # as long as the process
        head = str(ray.get_runtime_context().gcs_address).rpartition(":")[0]
        for host in {HERE, ray.util.get_node_ip_address(), head}:
            self._reached.enter_context(reaching(host))

    def answer(self, function: str, *texts: str) -> str:
        """See ``calls.answer``."""
        return calls.answer(function, *texts)

    def ready(self) -> str:
        """Heard of when the process is there."""
        return ""


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is asked, by its number; ``ends``: how many workers have ended over it."""

    number: int
    asked: tuple[str, ...]
    ends: int = 0


class RayEngine(Engine):
    """So many actors, each with a processor of its own; one that ends is replaced."""

    def __init__(self, address: Address | None, workers: int, folder: Path, say: Callable[[str], None]) -> None:
        self._address = address
        self._say = say
        self._wanted = workers
        self._certificates = folder
        self._stack = ExitStack()
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}  # reference -> actor
        self._died = 0  # since one of them was ready
        self._there_at = 0.0  # when a worker was last ready or at work

    @classmethod
    def from_context(cls, context: EngineContext) -> Self:
        """Nothing is started; InputError without Ray, or for what is no address."""
        if find_spec("ray") is None:
            raise InputError("the engine ray needs Ray", "install it: pip install 'mollia[ray]'")
        address = Address.parse(context.address) if context.address else None
        return cls(address, context.workers, Path(context.certificates), context.say)

    def start(self) -> None:
        """Start Ray here, or connect to it, and have the workers started."""
        self._say(UNGUARDED)
        with ExitStack() as stack:
            for own in (HERE, "::1"):  # Ray binds to ::1 to find out whether there is IPv6
                stack.enter_context(reaching(own))
            settings = self._settings_here(stack) if self._address is None else self._settings_there(stack)
            import ray
            from ray._private import worker as printer

            printer.print_to_stdstream = _hear_nothing  # else it prints how workers ended where data goes
            stack.callback(ray.shutdown)
            try:
                ray.init(configure_logging=False, log_to_driver=False, namespace="mollia", **settings)
            except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                raise RefusedError(
                    f"Ray does not start: {str(error).splitlines()[0]}",
                    "on this machine: ray start --address=..., see `mollia engine certificates`"
                    if self._address
                    else "",
                ) from error
            if self._address is not None:  # all that the cluster has
                self._wanted = int(ray.cluster_resources().get("CPU", 0)) or 1
            for _ in range(self._wanted):
                self._make()
            begin = self._there_at = monotonic()
            while self._starting and not (self._idle and monotonic() - begin > START_SECONDS):
                self._hear({}, 1.0)
            self._stack = stack.pop_all()

    def _settings_here(self, stack: ExitStack) -> dict[str, Any]:
        """A private folder and a token of this command; a child ends what Ray leaves when this process is killed."""
        sweep(Path(gettempdir()), _FOLDER)
        folder = Path(mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))
        stack.callback(rmtree, folder, ignore_errors=True)
        _setting(stack, {**_PRIVATE, **_NO_PROBE, **_LOOPBACK, "RAY_AUTH_TOKEN": _TOKEN})
        program = [sys.executable, "-P", "-m", "mollia_cli.engines.ray_end", str(folder)]
        ending = subprocess.Popen(program, stdin=subprocess.PIPE, start_new_session=True)
        stack.callback(ending.wait)
        assert ending.stdin is not None
        stack.callback(ending.stdin.close)
        return {
            "address": "local",  # else one that is left of somebody is joined
            "num_cpus": self._wanted,
            "num_gpus": 0,
            "include_dashboard": False,
            "object_store_memory": _STORE,
            "_node_ip_address": HERE,
            "_temp_dir": str(folder / "r"),  # Ray opens it to everybody: within a folder that is not
        }

    def _settings_there(self, stack: ExitStack) -> dict[str, Any]:
        """The cluster's token, and its certificates where it is another machine's."""
        assert self._address is not None
        stack.enter_context(self._address.reached())
        certificates.check(self._address, self._certificates)
        tls = {"RAY_AUTH_TOKEN_PATH": certificates.token(self._certificates)}
        if self._address.scheme == "tls":
            authority, certificate, key = certificates.files(self._certificates, "client")
            tls |= {"RAY_USE_TLS": "1", "RAY_TLS_CA_CERT": authority}
            tls |= {"RAY_TLS_SERVER_CERT": certificate, "RAY_TLS_SERVER_KEY": key}
        _setting(stack, {**_PRIVATE, **tls})
        return {"address": f"{self._address.host}:{self._address.port}"}

    def close(self) -> None:
        """End the workers, and Ray where it was started here."""
        self._stack.close()
        self._idle, self._starting = [], {}

    @property
    def workers(self) -> int:
        """How many are ready or at work; those that start are not."""
        return self._wanted - len(self._starting)

    def everywhere(self, function: str, common: str) -> list[str]:
        """Each worker that is ready is asked once."""
        import ray

        asked = [actor.answer.remote(function, common) for actor in self._idle]
        found = []
        for reference in asked:
            with suppress(ray.exceptions.RayActorError):  # found out, and replaced, by the next map
                found.append(calls.read(ray.get(reference)))
        return found

    def map(self, function: str, common: str, tasks: Iterable[str]) -> Iterator[tuple[int, str]]:
        """One task a worker at a time."""
        import ray

        numbered = (_Task(number, (function, common, task)) for number, task in enumerate(tasks))
        again: list[_Task] = []
        running: dict[Any, tuple[Any, _Task]] = {}
        try:
            while True:
                while self._idle and (task := again.pop() if again else next(numbered, None)):
                    actor = self._idle.pop()
                    running[actor.answer.remote(*task.asked)] = actor, task
                if not running and not again and (self._idle or not self._starting):
                    return
                for reference in self._hear(running, 1.0):
                    actor, task = running.pop(reference)
                    try:
                        answered = ray.get(reference)
                    except ray.exceptions.RayActorError as error:
                        self._make()
                        if task.ends + 1 == ENDS:
                            raise LostError(task.number, f": {str(error).splitlines()[0]}") from error
                        again.append(replace(task, ends=task.ends + 1))
                        continue
                    self._idle.append(actor)
                    yield task.number, calls.read(answered)
        finally:
            for actor, _ in running.values():  # left while they work
                ray.kill(actor)
                self._make()

    def _make(self) -> None:
        """Start a worker, which is idle when it has been heard of."""
        import ray

        package = str(Path(mollia_cli.__file__).parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        environment = {"env_vars": {"PYTHONPATH": paths}} if self._address is None else None
        made = ray.remote(_Worker).options(num_cpus=1, max_restarts=0, runtime_env=environment).remote()
        self._starting[made.ready.remote()] = made

    def _hear(self, running: Mapping[Any, Any], seconds: float) -> list[Any]:
        """The calls that ended; workers that are ready are idle from now on. RefusedError if none is left."""
        import ray

        if self._idle or running:
            self._there_at = monotonic()
        elif monotonic() - self._there_at > START_SECONDS:
            raise RefusedError(
                f"no worker of Ray has been there for {START_SECONDS:.0f} seconds",
                "what is stored stays, and the same command goes on",
            )
        ended, _ = ray.wait([*running, *self._starting], num_returns=1, timeout=seconds)
        for reference in [each for each in ended if each in self._starting]:
            actor = self._starting.pop(reference)
            try:
                ray.get(reference)
            except ray.exceptions.RayActorError as error:
                self._died += 1
                if self._died > ENDS * self._wanted:
                    raise RefusedError(
                        f"Ray's workers end again and again: {str(error).splitlines()[0]}", ""
                    ) from error
                self._make()
            else:
                self._died = 0
                self._idle.append(actor)
        return [each for each in ended if each in running]


def _hear_nothing(*_: Any, **__: Any) -> None:
    """How a worker ended is heard from the call."""


def _setting(stack: ExitStack, values: dict[str, str]) -> None:
    """Environment variables of this process and Ray's, as they were again when the stack ends."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    stack.callback(restore)
