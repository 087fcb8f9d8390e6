"""What a run is, as options: made of the fields of RunConfig, for ``mollia round``, ``run`` and ``estimate``."""

import functools
import inspect
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import PaperOption, excluded, split_names
from mollia_cli.domain.declared import Key, keys
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import ENDS, AnnotateSettings, LearnerSettings, RunConfig
from mollia_cli.project.names import members

_PLACE, _ENGINE = "options", "engine"  # parameters that decorators fill
_NO_PANEL = ("human", "oracle")
_COMPLETE = {
    "strategy": complete.strategies,
    "aggregator": complete.aggregators,
    "stop": complete.criteria,
    "engine": complete.engines,
}
_ABLATIONS = {
    "no_negatives": "Train without negative labels (ablation).",
    "no_discrepancy": "Train without discrepancy weights (ablation).",
}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def option(section: type, name: str, called: str = "") -> Any:
    """A declared field as an option, for ``Annotated[... | None, option(section, name)]``: its help and limits."""
    key = keys(section)[name]
    # typer's range has its ends, and says it itself
    unsaid = key.family or get_origin(key.kind) is Literal or key.limits.gt is not None
    number = key.kind in (int, float)
    return typer.Option(
        _flag(called or name),
        help=key.remark(members(key)) if unsaid else key.description,
        autocompletion=_COMPLETE.get(key.family),
        min=_first(key.limits.ge, key.limits.gt) if number else None,
        max=_first(key.limits.le, key.limits.lt) if number else None,
    )


def _first(*ends: float | None) -> float | None:
    return next((end for end in ends if end is not None), None)


def _type(key: Key) -> Any:
    """The type of the option: a list is given as names with commas, one of some choices as text."""
    return bool if key.kind is bool else (key.kind if key.kind in (int, float) else str) | None


StrategyOption = Annotated[str, option(RunConfig, "strategy")]
AggregatorOption = Annotated[str, option(RunConfig, "aggregator")]
CascadeOption = Annotated[str | None, option(RunConfig, "cascade")]
ThresholdOption = Annotated[float | None, option(RunConfig, "threshold")]
PoolSampleOption = Annotated[int | None, option(RunConfig, "pool_sample")]
VotesOption = Annotated[str | None, option(AnnotateSettings, "votes")]
LongOption = Annotated[str | None, option(AnnotateSettings, "long")]
ShotsOption = Annotated[int | None, option(AnnotateSettings, "shots")]


def with_run_options(*, ends: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The command with every option of a run in the place of its parameter ``options``, which gets what was given.

    That is a mapping as ``loop.setup.open_run`` takes it. Typer makes one option of each parameter in a function's
    signature. ends: also those that say when the run ends.
    """
    declared = {name: key for name, key in keys(RunConfig).items() if key.description and (ends or name not in ENDS)}
    own = [_parameter(name, _type(key), option(RunConfig, name)) for name, key in declared.items()]
    own += [_parameter("learner", str | None, option(LearnerSettings, "name", "learner"))]
    own += [_parameter(name, bool, typer.Option(_flag(name), help=text)) for name, text in _ABLATIONS.items()]
    own += [_parameter("paper", *get_args(PaperOption))]

    return partial(_in_place, _PLACE, own, _changes)


def with_engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options that say where LLMs read, in the place of its parameter ``engine``.

    That becomes a mapping as ``Project.use_annotation`` takes it.
    """
    declared = keys(AnnotateSettings)
    own = [
        _parameter(_ENGINE, str | None, option(AnnotateSettings, "engine", "on")),
        *(_parameter(name, _type(declared[name]), option(AnnotateSettings, name)) for name in ("address", "workers")),
        _parameter("mixed", bool, option(AnnotateSettings, "mixed")),
    ]
    return _in_place(_ENGINE, own, lambda given: given | {"mixed": given["mixed"] or None}, command)


def _in_place(
    place: str, own: list[inspect.Parameter], made: Callable[[dict[str, Any]], Any], command: Callable[..., None]
) -> Callable[..., None]:
    """The command with options in the place of one parameter, which gets what is made of them."""
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += own if parameter.name == place else [parameter]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        command(**{place: made({one.name: given.pop(one.name) for one in own})}, **given)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    default = False if kind is bool else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """What was given as fields of RunConfig; InputError where one would have no effect beside another."""
    from mollia_cli.loop.setup import ablations

    off = ablations(*(given.pop(name) for name in _ABLATIONS))
    for name in off:
        if given[name] is not None:
            ablation = "--no-discrepancy" if name == "alpha" else "--no-negatives"
            raise InputError(f"{ablation} and {_flag(name)} {given[name]} contradict each other", "give one of them")
    cascade = split_names(given["cascade"] or "")
    if cascade and given["annotator"] in _NO_PANEL:
        excluded("--cascade", f"--annotator {given['annotator']}", "then no LLM is asked")
    given = {name: value for name, value in given.items() if value is not False}  # a flag that was not given
    return {**given, "cascade": cascade or None, **off}
