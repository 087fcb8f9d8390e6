"""What a run is, as options: the same for ``mollia round``, ``run`` and ``estimate``."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import CascadeOption, PoolSampleOption, SureOption, split_names
from mollia_cli.domain.errors import InputError

_PLACE = "options"


@dataclass(frozen=True)
class RunOptions:
    """What the user says that a run is; None and "" are what it was opened with, or the project's settings."""

    strategy: Annotated[
        str | None, typer.Option(help="The query strategy. Default: the project's.", autocompletion=complete.strategies)
    ] = None
    aggregator: Annotated[
        str | None, typer.Option(help="The aggregator. Default: the project's.", autocompletion=complete.aggregators)
    ] = None
    annotator: Annotated[
        str | None,
        typer.Option(help="Who labels: panel (the LLMs), replay (stored outputs), human (you), oracle (true labels)."),
    ] = None
    method: Annotated[
        str | None, typer.Option(help="mollia (the paper) or refined (learns from the unselected pool, too).")
    ] = None
    learner: Annotated[
        str | None,
        typer.Option(help="transformer (fine-tunes the encoder) or linear (a head on it). Default: the project's."),
    ] = None
    replay: Annotated[
        Path | None, typer.Option(help="Stored outputs: .npy [n, 2N, K] by row, or lines of `mollia annotate`.")
    ] = None
    batch: Annotated[int | None, typer.Option(help="Items a round. Default: the project's.", min=1)] = None
    cascade: CascadeOption = ""
    sure: SureOption = None
    pool_sample: PoolSampleOption = None
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Train on the texts of `mollia generate`, too.")] = (
        False
    )
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Weight of an item where the classifier before differs from the verdict (Eq. 8). Default: the"
            " project's.",
            min=0,
            max=1,
        ),
    ] = None
    lambda_start: Annotated[
        float | None,
        typer.Option(help="Weight of negative labels in round 1 (Eq. 9). Default: the project's.", min=0),
    ] = None
    lambda_end: Annotated[
        float | None,
        typer.Option(help="Weight of negative labels in the last round (Eq. 9). Default: the project's.", min=0),
    ] = None
    delta: Annotated[
        float | None,
        typer.Option(
            help="A label that every LLM gives less is negative (Eq. 5); 0: chosen on the seeds. Default: the"
            " project's.",
            min=0,
            max=1,
        ),
    ] = None
    no_negatives: Annotated[bool, typer.Option("--no-negatives", help="Train without negative labels (ablation).")] = (
        False
    )
    no_discrepancy: Annotated[
        bool, typer.Option("--no-discrepancy", help="Train without discrepancy weights (ablation).")
    ] = False

    def changes(self) -> dict[str, Any]:
        """The same as ``loop.setup.open_run`` takes it; InputError where two options contradict each other."""
        from mollia_cli.loop.setup import ablations

        given = {field.name: getattr(self, field.name) for field in fields(self)}
        off = ablations(given.pop("no_negatives"), given.pop("no_discrepancy"))
        for name in off:
            if given[name] is not None:
                ablation = "--no-discrepancy" if name == "alpha" else "--no-negatives"
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{ablation} and {option} {given[name]} contradict each other", "give one of them")
        return {**given, "cascade": split_names(self.cascade) or None, "synthetic": self.synthetic or None, **off}


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose parameter ``options`` is a RunOptions, with its fields as parameters in that place.

    Typer makes one option of each parameter in a function's signature.
    """
    own = inspect.signature(RunOptions).parameters
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += own.values() if parameter.name == _PLACE else [parameter]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        command(**{_PLACE: RunOptions(**{name: given.pop(name) for name in own})}, **given)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped
