"""Which engine an annotator reads on, and the batches that its workers have read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import ceil

from mollia_cli.annotators.base import Annotator
from mollia_cli.annotators.llama.binding.doctor import uses_gpu
from mollia_cli.annotators.llama.binding.memory import available
from mollia_cli.annotators.llama.binding.threads import available as cores
from mollia_cli.domain.digest import canonical_json, digest_of
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.printable import count
from mollia_cli.engines import ENGINES
from mollia_cli.engines.base import ENDS, Engine, EngineContext, LostError
from mollia_cli.project.context import Project
from mollia_cli.project.reading import OBSERVE, PREPARE, common_of, facts_of, task_of, unpacked
from mollia_cli.store.items import chunks

LOCAL = "local"
AT_ONCE = 20_000  # items whose texts or observations are in memory together
CERTIFICATES = "certificates"
# Batches for each process, below which starting it and loading the model costs more than it gives; of more batches for
# each than the most, it does not matter any more how many are left for the last turn.
_LEAST, _MOST = 2, 16
_THREADS = 0.87  # c threads of one process are as fast as c ** .87 processes: 1.83 of two (benchmarks/engines.py)
_OF_MACHINES = {"engine", "system", "extra_buffers", "gpu_layers"}  # facts that ``annotate.mixed`` leaves out
_NAMED = 5  # items of a lost batch

Read = tuple[list[Observation], float, int | None]  # a batch, its seconds, the bytes that the LLM has added


def threads_of(project: Project) -> int:
    """Threads of each worker."""
    return project.settings.annotate.threads or 1


def workers_of(project: Project, annotator: Annotator, panel: Sequence[Annotator], ids: Sequence[str]) -> int:
    """How many workers read: as the settings say, else by this machine and the texts; 0: this process alone.

    Processes of one thread, one a core, are quicker than one of all cores' threads, where the panel's largest file fits
    so often into half of the free memory and there are batches enough, of which few are left for the last turn.
    Whoever sets the number of threads alone means this process.
    """
    settings = project.settings.annotate
    if annotator.recipe() is None:
        return 0
    if settings.engine != LOCAL:
        return settings.workers or max(1, cores() // threads_of(project))
    if settings.workers or settings.threads or uses_gpu():
        return settings.workers if settings.workers > 1 else 0
    free, largest = available(), max(member.size for member in panel)
    most = cores() if free is None else min(cores(), free // 2 // largest)
    batches = sum(1 for _ in islice(batches_of(project, annotator, ids), _MOST * most)) if most > 1 else 0
    most = min(most, batches // _LEAST)
    return most if most > 1 and batches / ceil(batches / most) > cores() ** _THREADS else 0


def engine_for(project: Project, annotator: Annotator, panel: Sequence[Annotator], ids: Sequence[str]) -> Engine | None:
    """The engine, started; None where this process reads. Within ``engine_kept``, which ends it."""
    settings, threads = project.settings.annotate, threads_of(project)
    workers = workers_of(project, annotator, panel, ids)
    if not workers and not (settings.engine == LOCAL and settings.address):  # which that engine refuses
        return None
    assert project.engines is not None
    name = (settings.engine, settings.address, threads)
    running = project.engines.get(name)
    if running is not None and (settings.engine != LOCAL or running.workers >= workers):
        return running
    _end(project)
    context = EngineContext(settings.address, workers, threads, str(project.root / CERTIFICATES), project.say)
    engine: Engine = ENGINES.load(settings.engine).from_context(context)
    project.engines[name] = engine  # so that it is ended, however far it comes
    engine.start()
    return engine


def speed_up(project: Project, annotator: Annotator, panel: Sequence[Annotator], ids: Sequence[str]) -> float:
    """How many times as fast an engine reads as this process, by the threads that both have; 1 where there is none."""
    settings = project.settings.annotate
    with engine_kept(project):
        engine = engine_for(project, annotator, panel, ids)
        if engine is None:
            return 1.0
        threads = engine.workers * threads_of(project)
    here = settings.threads or cores()
    return (min(threads, cores()) if settings.engine == LOCAL else threads) / here


@contextmanager
def engine_kept(project: Project) -> Iterator[None]:
    """Within, an engine that was started stays up; the outermost of these ends it."""
    if project.engines is not None:
        yield
        return
    project.engines = {}
    try:
        yield
    finally:
        _end(project)
        project.engines = None


def read_on(
    engine: Engine, project: Project, annotator: Annotator, ids: Sequence[str], among: Sequence[str] = ()
) -> Iterator[Read]:
    """What the workers read, as they have read it; ``among``: see ``together``.

    RefusedError where one of them is another annotator than ours.
    """
    keep = 0 if project.loaded is None else engine.workers
    common = common_of(annotator, threads_of(project), keep)
    check_alike(engine, annotator, common)
    facts, given = digest_of(facts_of(annotator)), dict[int, list[Item]]()
    try:
        for number, answer in engine.map(OBSERVE, common, _tasks(batches_of(project, annotator, ids, among), given)):
            found = json.loads(answer)
            if found["facts"] != facts:  # a worker that came later
                check_alike(engine, annotator, common)
                raise RefusedError(f"{annotator.name} was another one on a worker", "the same command goes on")
            del given[number]
            yield [unpacked(seen) for seen in found["seen"]], found["seconds"], found["memory"]
    except LostError as error:
        lost = given[error.number]
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        raise RefusedError(
            f"{count(len(lost), 'text')} that {annotator.name} reads together ended {ENDS} workers{error.how}:"
            f" {', '.join(item.id for item in lost[:_NAMED])}{more}",
            "give the workers more memory (fewer --workers), or read those texts alone: mollia annotate IDS",
        ) from error


def check_alike(engine: Engine, annotator: Annotator, common: str) -> None:
    """RefusedError naming the first worker whose annotator is not this one, with what differs and what to do."""
    ours = json.loads(canonical_json(facts_of(annotator)))
    for answer in engine.everywhere(PREPARE, common):
        found = json.loads(answer)
        theirs = found["facts"]
        different = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        if different:
            pairs = "; ".join(f"{key} {theirs.get(key)!r}, here {ours.get(key)!r}" for key in different)
            raise RefusedError(
                f"the worker {found['worker']} is no copy of this machine: {pairs}",
                "install the same versions on both, or accept that they round otherwise: --mixed"
                if _OF_MACHINES.issuperset(different)
                else "install the same version of mollia on both",
            )


def _tasks(batches: Iterable[list[Item]], given: dict[int, list[Item]]) -> Iterator[str]:
    """The batches, by their number in ``given`` until they are read."""
    for number, batch in enumerate(batches):
        given[number] = batch
        yield task_of(batch)


def batches_of(
    project: Project, annotator: Annotator, ids: Sequence[str], among: Sequence[str] = ()
) -> Iterator[list[Item]]:
    """The batches that items are read in; ``among``: see ``together``."""
    for items in together(project, ids, among):
        yield from annotator.batches(items)


def together(project: Project, ids: Sequence[str], among: Sequence[str] = ()) -> Iterator[list[Item]]:
    """The items, as many at once as are in memory.

    among: all items that a command names, read or not. It is those that are counted, so that what is left of a command
    that was stopped, or a part's share of it, falls into the same batches.
    """
    wanted = set(ids)
    for some in chunks(among or ids, AT_ONCE):
        if mine := [item_id for item_id in some if item_id in wanted]:
            yield project.store.items.get(mine)


def _end(project: Project) -> None:
    while project.engines:
        project.engines.popitem()[1].close()
