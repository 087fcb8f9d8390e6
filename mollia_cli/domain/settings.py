"""The settings of a project: what may stand in ``mollia.toml``, with defaults and limits."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from typing import Any

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec, parse_members

SETTINGS_FILE = "mollia.toml"


def _setting(default: Any, check: Callable[[Any], bool], expected: str) -> Any:
    return field(default=default, metadata={"check": check, "expected": expected})


def _positive(default: Any) -> Any:
    return _setting(default, lambda v: v > 0, "a number above 0")


def _natural(default: int, meaning_of_zero: str) -> Any:
    return _setting(default, lambda v: v >= 0, f"a whole number, 0 for {meaning_of_zero}")


def _fraction(default: float) -> Any:
    return _setting(default, lambda v: 0 <= v <= 1, "a number from 0 to 1")


def _choice(*options: str) -> Any:
    return _setting(options[0], lambda v: v in options, f"one of: {', '.join(options)}")


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Who labels: LLMs (names or GGUF files), or tables of other kinds; empty = every installed LLM."""

    members: tuple[MemberSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotateSettings:
    """How the LLMs are asked. ``shots``: so many seed items stand in the prompt as worked examples."""

    template: str = "prompt.txt"
    shots: int = _natural(0, "none")
    votes: str = _choice("sampled", "exact")
    samples: int = _positive(10)
    temperature: float = _positive(0.7)
    top_p: float = _setting(0.9, lambda v: 0 < v <= 1, "a number above 0, at most 1")
    context: int = _natural(0, "what the longest text needs")
    threads: int = _natural(0, "automatic")


@dataclass(frozen=True, slots=True)
class AggregateSettings:
    """How verdicts are made. ``delta`` 0: chosen so that a true label is negative for ``false_negatives`` at most, on
    average over seed sets.

    unlabelled: pool items annotated for semi-supervised fitting; delta: Eq. 5's threshold (paper: 0.001).
    """

    aggregator: str = "conditional_logit"
    unlabelled: int = _natural(500, "none")
    delta: float = _setting(0.0, lambda v: 0 <= v <= 1, "a number from 0 to 1, 0 to choose it on the seeds")
    false_negatives: float = _setting(0.02, lambda v: 0 < v < 1, "a number above 0 and below 1")


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """The classifier that is trained, and how. ``steps``: an epoch has at least so many (paper: 1).

    ``name``: "transformer" fine-tunes the encoder, "linear" leaves it as it is and fits a head on its embeddings.
    """

    name: str = "transformer"
    encoder: str = "distilbert-base-uncased"
    max_tokens: int = _setting(128, lambda v: v >= 8, "a whole number, 8 or more")
    learning_rate: float = _positive(5e-5)
    batch_size: int = _positive(50)
    steps: int = _positive(10)
    epochs: int = _positive(40)
    patience: int = _positive(10)
    validation: float = _setting(0.2, lambda v: 0 <= v < 1, "a number from 0 to below 1")
    validation_cap: int = _positive(100)
    threads: int = _natural(0, "automatic")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The active learning loop (Eqs. 8 and 9: ``alpha``; lambda grows from ``lambda_start`` to ``lambda_end``).

    ``cascade``: the LLMs in the order in which they are asked, as long as the verdict's confidence is below ``sure``.
    ``synthetic``: train on what ``mollia generate`` wrote, too. ``stop`` names the stopping criterion;
    ``budget_tokens`` and ``budget_minutes`` hold beside any.
    """

    method: str = _choice("mollia", "refined")
    strategy: str = "coreset"
    batch: int = _positive(50)
    rounds: int = _natural(10, "round 0 alone")
    cascade: tuple[str, ...] = ()
    sure: float = _setting(0.9, lambda v: 0 < v < 1, "a number above 0 and below 1")
    synthetic: bool = False
    stop: str = "rounds"
    budget_tokens: int = _natural(0, "no limit")
    budget_minutes: float = _setting(0.0, lambda v: v >= 0, "a number, 0 for no limit")
    pool_sample: int = _natural(0, "the whole pool")
    alpha: float = _fraction(0.5)
    lambda_start: float = _setting(0.4, lambda v: v >= 0, "a number, 0 or more")
    lambda_end: float = _setting(1.0, lambda v: v >= 0, "a number, 0 or more")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in ``mollia.toml``."""

    labels: LabelSet
    noun: str = "text"
    task: str = ""
    seed: int = 0
    panel: PanelSettings = PanelSettings()
    annotate: AnnotateSettings = AnnotateSettings()
    aggregate: AggregateSettings = AggregateSettings()
    learner: LearnerSettings = LearnerSettings()
    run: RunSettings = RunSettings()

    @property
    def task_sentence(self) -> str:
        """The task as the prompt states it; the paper's sentence where none was given."""
        return self.task or f"Determine the most appropriate category for the {self.noun}."


SECTIONS: dict[str, type] = {
    "panel": PanelSettings,
    "annotate": AnnotateSettings,
    "aggregate": AggregateSettings,
    "learner": LearnerSettings,
    "run": RunSettings,
}
_TOP = {"noun": str, "task": str, "seed": int}


def parse_settings(data: Mapping[str, Any], source: str = SETTINGS_FILE) -> Settings:
    """Settings from a parsed TOML document; a wrong one raises InputError naming ``source`` and the key."""
    _refuse_unknown(data, [*_TOP, "labels", *SECTIONS], "", source)
    labels = data.get("labels")
    if not isinstance(labels, Mapping) or not all(isinstance(text, str) for text in labels.values()):
        raise InputError(f"{source}: [labels] must map each label to its description", 'for example: spam = ""')
    values: dict[str, Any] = {"labels": LabelSet(tuple(labels), tuple(labels.values()))}
    for key, kind in _TOP.items():
        if key in data:
            values[key] = _typed(data[key], kind, key, source)
    for name, section in SECTIONS.items():
        if name in data:
            values[name] = _parse_section(data[name], section, name, source)
    return Settings(**values)


def _parse_section(data: Any, section: type, name: str, source: str) -> Any:
    if not isinstance(data, Mapping):
        raise InputError(f"{source}: {name!r} must be a section", f"write it as [{name}]")
    _refuse_unknown(data, [f.name for f in fields(section)], f"{name}.", source)
    if section is PanelSettings:
        return PanelSettings(parse_members(data.get("members", []), f"{source}: panel.members"))
    return section(**within_limits(data, section, source, f"{name}."))


def within_limits(data: Mapping[str, Any], section: type, source: str, prefix: str = "") -> dict[str, Any]:
    """The entries of ``data`` that are settings of ``section``; one that cannot be raises InputError naming it."""
    values = {}
    for known in fields(section):
        if known.name not in data:
            continue
        assert known.default is not MISSING
        key, value = f"{prefix}{known.name}", data[known.name]
        values[known.name] = _typed(value, type(known.default), key, source)
        check = known.metadata.get("check")
        if check is not None and not check(values[known.name]):
            raise InputError(f"{source}: {key} is {value!r}", f"it must be {known.metadata['expected']}")
    return values


def _typed(value: Any, kind: type, key: str, source: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    endless = isinstance(value, float) and not isfinite(value)  # TOML has inf and nan
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)) and not endless:
        return value
    words = {
        str: "text in quotes",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        tuple: "a list of texts in quotes",
    }
    raise InputError(f"{source}: {key} is {value!r}", f"it must be {words[kind]}")


def _refuse_unknown(data: Mapping[str, Any], known: list[str], prefix: str, source: str) -> None:
    for key in data:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            did_you_mean = f"did you mean {prefix}{near[0]}? " if near else ""
            raise InputError(f"{source}: unknown key {prefix}{key}", f"{did_you_mean}known: {', '.join(known)}")
