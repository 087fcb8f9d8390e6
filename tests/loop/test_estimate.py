"""What a run will cost: measured on the run's own items, and near what it then costs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeLLM, fake_file

from mollia_cli.aggregators.mixture import Mixture
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Panel
from mollia_cli.loop import estimate as estimate_module
from mollia_cli.loop import estimate_classifier
from mollia_cli.loop.amounts import Amount
from mollia_cli.loop.estimate import estimate
from mollia_cli.loop.needed import needed_for_fit
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.machine.demo import LABELS, demo_messages
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.encoders import encoder_specs, frozen_encoder

MakeProject = Callable[..., Project]


def test_amounts() -> None:
    two = Amount(1.0, 2.0, 3.0) + Amount(0.0, 1.0, 5.0)
    assert two == Amount(1.0, 3.0, 8.0)
    assert two.times(2.0, 0.5) == Amount(1.0, 6.0, 24.0)


@pytest.mark.proof
def test_what_a_run_costs_is_within_the_range(make_real_project: MakeProject) -> None:
    project = make_real_project()
    asked = {"strategy": "entropy", "rounds": 1}
    before = estimate(project, texts=4, **asked)
    assert before.rounds == 2
    assert [part.name for part in before.parts][1:] == ["conditional_logit", "training", "selecting and testing"]
    assert not project.store.runs.names()  # nothing was started

    # what was measured is kept, and was needed anyway
    said = project.store.observations.summary()
    assert said[0]["items"] == 5
    needed = needed_for_fit(project)
    assert len(project.store.observations.missing(said[0]["key"], needed)) == len(needed) - 5

    already = said[0]["tokens"]
    done = run_rounds(project, *open_run(project, **asked), 1)
    tokens = project.store.observations.summary()[0]["tokens"] - already
    assert before.tokens.low * 0.9 <= tokens <= before.tokens.high * 1.1
    grown = sum(path.stat().st_size for path in project.models_folder.rglob("*") if path.is_file())
    assert before.disk.low <= grown <= before.disk.high
    assert len(done) == 2

    after = estimate(project, **asked)
    assert (after.rounds, after.parts) == (0, ())


@pytest.fixture
def shipped(tmp_path: Path, fake_llm: type[FakeLLM], test_encoder: Path) -> Iterator[Project]:
    """18 seeds, 40 pool and 12 test items, as shipped but for the LLM: a real encoder, member and classifier."""
    labels = LabelSet(tuple(LABELS), tuple(LABELS.values()))
    panel = [str(fake_file(tmp_path, "fake-llm")), {"name": "mini", "kind": "encoder", "model": str(test_encoder)}]
    create(tmp_path / "shipped", new_settings(labels, "message", "", panel, str(test_encoder)))
    with Project.open(tmp_path / "shipped") as project:
        with project.store.transaction():
            for split, size in {"seed": 18, "pool": 40, "test": 12}.items():
                rows = [one for one in demo_messages() if one["split"] == split][:size]
                items = [Item(f"{split}{n}", r["text"], split, labels.index(r["label"])) for n, r in enumerate(rows)]
                project.store.items.add(items, "demo")
        yield project


def own_bytes(project: Project) -> int:
    """Bytes below the project's folder that are nowhere else, without the database."""
    files = [path.stat() for path in project.root.rglob("*") if path.is_file() and "mollia.db" not in path.name]
    return sum(file.st_size for file in files if file.st_nlink == 1)


def test_the_encoder_s_file_is_shared_and_takes_no_disk(shipped: Project) -> None:
    asked = {"rounds": 2, "batch": 5}
    before = own_bytes(shipped)
    found = estimate(shipped, texts=4, **asked)
    assert not list(shipped.root.glob(".estimate-*"))
    measured = own_bytes(shipped)
    run_rounds(shipped, *open_run(shipped, **asked), 2)
    kept = [path.stat() for path in shipped.models_folder.rglob("*") if path.is_file()]
    assert len([file for file in kept if file.st_size > 10**7]) == 3
    rest = found.disk.expected - sum(file.st_size for file in kept if file.st_nlink == 1)
    assert found.disk.low <= own_bytes(shipped) - before <= found.disk.high
    assert abs(rest) < 10**6  # the database's rows and embeddings
    assert measured > before  # what was measured on is kept


def test_encoders_read_a_few_texts_to_be_measured(shipped: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate_classifier, "_JUDGED", 4)
    found = estimate(shipped, texts=4, rounds=2, batch=5)
    assert [part.name for part in found.parts][1:] == ["mixture", "embedding", "training"]
    encoder = frozen_encoder(shipped, encoder_specs(shipped)[0])
    left = encoder.unread(
        [item.text for split in ("seed", "pool", "test") for item in shipped.store.items.in_split(split)]
    )
    assert 52 - 8 <= len(left) <= 52 - 4  # the seeds, and some of the others, of all lengths
    monkeypatch.setattr(estimate_classifier, "_JUDGED", 1000)
    again = estimate(shipped, texts=4, rounds=2, batch=5)
    assert not encoder.unread([item.text for item in shipped.store.items.in_split("test")])
    assert [part.name for part in again.parts][1:] == ["mixture", "training"]  # nothing is left to read


@pytest.mark.proof
def test_what_was_aggregated_once_is_not_aggregated_in_every_round(
    shipped: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample that is all of the pool leaves nothing new for later rounds; a small one, something for each."""
    fits: list[int] = []
    fit = Mixture.fit

    def counted(self: Mixture, seed: Panel, labels: Any, pool: Panel, random_seed: int = 0) -> Mixture:
        fits.append(len(pool))
        return fit(self, seed, labels, pool, random_seed)

    monkeypatch.setattr(Mixture, "fit", counted)
    monkeypatch.setattr(estimate_module, "perf_counter", lambda: 0.05 * len(fits))  # a fit takes .05 s
    seconds = {}
    for unlabelled in (500, 10):
        found = estimate(shipped, texts=4, rounds=3, batch=5, unlabelled=unlabelled)
        (seconds[unlabelled],) = [part.seconds.expected for part in found.parts if part.name == "mixture"]
    assert seconds == {500: pytest.approx(0.05 * 6), 10: pytest.approx(0.05 * 6 * 3)}
    fits.clear()
    run_rounds(shipped, *open_run(shipped, rounds=3, batch=5), 3)
    assert len(fits) == 6


def test_the_part_of_a_longer_run_that_is_left(make_project: MakeProject) -> None:
    project = make_project()
    asked = {"strategy": "random", "annotator": "oracle"}
    run_rounds(project, *open_run(project, rounds=1, **asked), 1)
    left = estimate(project, rounds=3, **asked)
    assert left.rounds == 2
    assert left.tokens.high == 0
    assert [part.name for part in left.parts] == ["training", "selecting and testing"]
    training = left.parts[0].seconds
    assert 0 < training.low <= training.expected <= training.high


def test_texts_are_measured_after_one_shared_prefix(make_project: MakeProject, fake_llm: type[FakeLLM]) -> None:
    """To decode that of the other half, too, would be a large part of the time of so few texts."""
    project = make_project()
    project.use_annotation(shots=3)
    estimate(project, texts=4, strategy="random", rounds=1)
    assert len(fake_llm.read) == 5 and len({*fake_llm.read.values()}) == 1


def test_a_cascade_is_a_range(make_project: MakeProject, stored_outputs: Callable[[Project], Path]) -> None:
    project = make_project()
    found = estimate(project, replay=stored_outputs(project), cascade=["a", "b"], strategy="random", rounds=1)
    assert [part.name for part in found.parts][:2] == ["a", "b"]
    assert found.tokens.high == 0  # stored outputs cost none


def test_nothing_to_measure_on(tmp_path: Path, labels: object, test_llm: Path, test_encoder: Path) -> None:
    create(tmp_path / "new", new_settings(labels, panel=[str(test_llm)], encoder=str(test_encoder)))
    with Project.open(tmp_path / "new") as project, pytest.raises(InputError, match="nothing to measure on"):
        estimate(project)


def test_on_the_command_line(make_project: MakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make_project().root)
    plain = ["estimate", "-p", root, "--annotator", "oracle", "--strategy", "random", "--rounds", "1"]
    app(plain, standalone_mode=False)
    shown = capsys.readouterr().out
    assert "run main: 2 rounds," in shown
    assert "training" in shown
    app([*plain, "--json"], standalone_mode=False)
    assert {"low", "expected", "high"} == set(json.loads(capsys.readouterr().out)["seconds"])
