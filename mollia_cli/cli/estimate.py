"""``mollia estimate``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from mollia_cli.cli.common import (
    JsonOption,
    ProjectOption,
    RunOption,
    ThreadsOption,
    emit,
    emit_json,
    limit_option,
    open_project,
    table,
    talk,
)
from mollia_cli.cli.run_options import with_engine_options, with_run_options
from mollia_cli.domain.printable import count

if TYPE_CHECKING:
    from mollia_cli.loop.amounts import Amount

_WORTH_SAYING = 0.5  # cores that others keep busy
_UNITS = ((3600.0, "h"), (60.0, "min"))


@with_run_options()
@with_engine_options
def estimate(
    *,
    limit: Annotated[int, limit_option("At most so many texts are read by each LLM, to measure.", least=2)] = 12,
    options: dict[str, Any],
    run: RunOption = "",
    threads: ThreadsOption = None,
    engine: dict[str, Any],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the cost of `mollia run` with the same options on this machine.

    Tokens, time and disk, each with a range, from a short measurement. What the LLMs answer while they are
    measured is stored and used by the run. Of a run that has begun: what is left. Ranges of time
    include early stopping, and a machine a third busier or less busy than now. The output has how busy
    that is; `mollia run` says after each round what is left, at the pace that it really has.

    Example: mollia estimate --rounds 10
    """
    from mollia_cli.loop.estimate import estimate as reckon

    with open_project(project, threads) as opened:
        opened.use_annotation(**engine)
        found = reckon(opened, run, limit, **options)
    if as_json:
        total: dict[str, Any] = {"tokens": found.tokens, "seconds": found.seconds, "disk_bytes": found.disk}
        emit_json(
            {
                "run": found.run,
                "rounds": found.rounds,
                "busy_cores": found.busy,
                **{key: asdict(amount) for key, amount in total.items()},
                "parts": [asdict(part) for part in found.parts],
            }
        )
        return
    rows = [[part.name, _tokens(part.tokens), _time(part.seconds)] for part in found.parts]
    table(["part", "tokens", "time"], [*rows, ["all", _tokens(found.tokens), _time(found.seconds)]])
    disk = f"{found.disk.expected / 1e6:,.0f} MB of disk ({found.disk.low / 1e6:,.0f} to {found.disk.high / 1e6:,.0f})"
    emit(f"run {found.run}: {count(found.rounds, 'round')}, {disk}")
    if found.busy >= _WORTH_SAYING:
        talk(
            f"other programs kept {found.busy:.1f} cores busy while this was measured: the run is quicker when they"
            " have ended, and slower when others join them"
        )


def _tokens(amount: "Amount") -> str:
    if not amount.high:
        return ""
    return f"{amount.expected:,.0f} ({amount.low:,.0f} to {amount.high:,.0f})"


def _time(amount: "Amount") -> str:
    size, unit = next((u for u in _UNITS if amount.expected >= u[0]), (1.0, "s"))
    return f"{amount.expected / size:.1f} {unit} ({amount.low / size:.1f} to {amount.high / size:.1f})"
