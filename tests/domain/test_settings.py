"""The limits of every setting: the last value that is taken on each side, and the first that is not."""

import math
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.declared import keys
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.settings import SECTIONS, LearnerSettings, RunConfig, Settings, checked, parse_settings
from mollia_cli.store.store import Store

_COUNT = ([1, 10**6, 10**12], [0, -1, 10**12 + 1])
_NATURAL = ([0, 1, 10**6, 10**12], [-1, 10**12 + 1])
_THREADS = ([0, 1, 1024], [-1, 1025])
_SHARE = ([0.0, 1.0], [-1e-9, 1.0 + 1e-9, math.nan])
_WITHIN = ([1e-9, 1.0 - 1e-9], [0.0, 1.0, -1e-9, 1.0 + 1e-9, math.nan])
_NOT_NEGATIVE = ([0.0, 1e9], [-1e-9, 1e13, math.nan, math.inf])

# section.key -> (what is taken, what is not)
LIMITS: dict[str, tuple[list[Any], list[Any]]] = {
    "annotate.shots": ([-1, 0, 1, 10**6], [-2]),
    "annotate.long": (["head-tail", "head", "split"], ["tail", ""]),
    "annotate.votes": (["sampled", "exact"], ["both", ""]),
    "annotate.samples": ([1, 10_000], [0, -1, 10_001]),
    "annotate.temperature": ([1e-9, 100.0], [0.0, -1e-9, 100.1, math.nan, math.inf]),
    "annotate.top_p": ([1e-9, 1.0], [0.0, 1.0 + 1e-9, math.nan]),
    "annotate.context": _NATURAL,
    "annotate.threads": _NATURAL,
    "annotate.workers": ([0, 10_000], [-1, 10_001]),
    "aggregate.unlabelled": _NATURAL,
    "aggregate.embedded": _NATURAL,
    "aggregate.delta": _SHARE,
    "aggregate.false_negatives": _WITHIN,
    "learner.max_tokens": ([8, 512, 100_000], [7, 0, 100_001]),
    "learner.learning_rate": ([1e-9, 1.0], [0.0, -1e-9, 1.1, math.nan, math.inf]),
    "learner.batch_size": _COUNT,
    "learner.steps": _COUNT,
    "learner.epochs": ([1, 100_000], [0, -1, 100_001]),
    "learner.patience": _COUNT,
    "learner.validation": ([0.0, 1.0 - 1e-9], [-1e-9, 1.0, math.nan]),
    "learner.validation_cap": _COUNT,
    "learner.threads": _THREADS,
    "run.method": (["distil", "mollia"], ["mollia2", ""]),
    "run.batch": _COUNT,
    "run.rounds": _NATURAL,
    "run.threshold": _WITHIN,
    "run.budget_tokens": _NATURAL,
    "run.budget_minutes": _NOT_NEGATIVE,
    "run.pool_sample": _NATURAL,
    "run.alpha": _SHARE,
    "run.lambda_start": _NOT_NEGATIVE,
    "run.lambda_end": _NOT_NEGATIVE,
}


def parsed(key: str, value: Any) -> Settings:
    section, _, name = key.partition(".")
    return parse_settings({"labels": {"a": "", "b": ""}, section: {name: value}})


def test_every_setting_with_a_limit_is_here() -> None:
    limited = [
        f"{name}.{key.name}"
        for name, section in SECTIONS.items()
        for key in keys(section).values()
        if key.expected != key.words
    ]
    assert list(LIMITS) == limited


@pytest.mark.parametrize("key", LIMITS)
def test_what_is_within_the_limits_is_taken(key: str) -> None:
    section, _, name = key.partition(".")
    for value in LIMITS[key][0]:
        assert getattr(getattr(parsed(key, value), section), name) == value


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (_, bad) in LIMITS.items() for value in bad])
def test_what_is_beyond_them_is_refused_with_the_key_and_the_limit(key: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        parsed(key, value)
    assert f"{key} is {value!r}" in caught.value.message
    assert caught.value.hint.startswith("it must be ")


@pytest.mark.parametrize("key", [key for key, (good, _) in LIMITS.items() if isinstance(good[0], int)])
@pytest.mark.parametrize("value", [1.5, "1", True, [1]])
def test_a_count_is_a_whole_number(key: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        parsed(key, value)
    assert caught.value.hint == "it must be a whole number"


def test_every_key_has_a_remark_and_a_value_within_its_own_limits() -> None:
    for name, section in SECTIONS.items():
        for key in keys(section).values():
            assert key.description.endswith("."), f"{name}.{key.name}"
            assert checked({key.name: key.default}, section, "defaults") == {key.name: key.default}


def test_a_run_is_made_of_the_sections() -> None:
    settings = parse_settings({"labels": {"a": "", "b": ""}, "learner": {"threads": 3, "epochs": 7}})
    config = RunConfig.of(settings)
    assert {"alpha", "batch", "aggregator", "delta"} <= keys(RunConfig).keys()
    assert (config.learner.epochs, config.learner.threads) == (7, 0)
    assert config.settings(settings) == settings


def test_what_a_run_is_survives_its_database(tmp_path: Path) -> None:
    labels = LabelSet(("a", "b"))
    config = RunConfig(cascade=("small", "large"), alpha=0.25, learner=LearnerSettings("linear", "enc", 64), repeat=2)
    store = Store(tmp_path, labels, create=True)
    store.runs.put("main", config)
    assert store.runs.config("main") == config
    assert store.runs.config("other") is None
    store.close()


def test_guidelines_are_on_off_or_chosen() -> None:
    for value in (True, False, "auto"):
        assert parsed("annotate.guidelines", value).annotate.guidelines is value or value == "auto"
    for value in ("yes", 1, 0.0):
        with pytest.raises(InputError) as caught:
            parsed("annotate.guidelines", value)
        assert caught.value.hint == 'it must be true, false or "auto"'
