"""benchmarks/instead.py: labels saved are counted right, the alternatives learn, and the script runs and goes on."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.rng import stream

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(BENCHMARKS)
    from baselines.frozen import Spreading, cross_validated, logistic, unit
    from baselines.setfit import PAIRS, pairs
    from labels_saved import Saved, labels_needed, labels_saved, labels_saved_svg


def test_labels_needed_is_read_off_between_two_points() -> None:
    curve = [(200, 0.9), (50, 0.6), (100, 0.8)]
    assert labels_needed(curve, 0.7) == pytest.approx(75)
    assert labels_needed(curve, 0.825) == pytest.approx(125)
    assert labels_needed(curve, 0.8) == 100
    assert labels_needed(curve, 0.5) == 50
    assert labels_needed(curve, 0.9) == 200
    assert labels_needed(curve, 0.91) == math.inf
    assert labels_needed([(50, 0.6), (100, 0.8), (150, 0.7), (200, 0.9)], 0.79) == pytest.approx(97.5)


def test_labels_saved_takes_the_alternative_that_needs_fewest() -> None:
    curves = {
        "slow": {50: [0.5, 0.5], 250: [0.9, 0.9]},
        "best": {50: [0.6, 0.6], 100: [0.8, 0.8]},
        "never": {50: [0.1]},
    }
    saved = labels_saved(curves, [0.7, 0.7], 50)
    assert (saved.method, saved.labels, saved.target) == ("best", 50, pytest.approx(0.7))
    assert saved.needed == pytest.approx(75) and saved.times == pytest.approx(1.5)
    assert saved.interval == (pytest.approx(75), pytest.approx(75))
    # Beyond what "best" was measured at, the other one's curve goes on.
    assert labels_saved(curves, [0.85, 0.85], 50).method == "slow"
    assert labels_saved(curves, [0.85, 0.85], 50).needed == pytest.approx(225)


def test_the_interval_is_over_draws_that_are_resampled_together() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.05, 20)  # of a draw: of its labels, in all that is measured on it
    curves = {"a": {50: (0.6 + luck).tolist(), 150: (0.8 + luck).tolist()}}
    together = labels_saved(curves, (0.7 + luck).tolist(), 50)
    apart = labels_saved(curves, (0.7 + rng.permutation(luck)).tolist(), 50)
    assert together.interval == (pytest.approx(100), pytest.approx(100))
    assert apart.interval[0] < 97 and apart.interval[1] > 103


def test_what_no_alternative_reaches_is_infinite_and_drawn_as_more() -> None:
    curve = {50: [0.6, 0.7], 100: [0.8, 0.7]}
    saved = labels_saved({"a": curve}, [0.9, 0.9], 50)
    assert math.isinf(saved.needed) and saved.method == "a"
    assert "more than 100 labels" in labels_saved_svg(saved, {"a": curve}, "title")
    assert "75 labels" in labels_saved_svg(Saved(50, 0.7, "a", 75.0, (60.0, 90.0)), {"a": curve}, "title")


def test_the_picture_has_the_alternatives_that_are_ahead_with_few_labels() -> None:
    curves = {"lr:tiny": {50: [0.6], 100: [0.9]}, "setfit:tiny": {50: [0.7]}, "spreading:tiny": {50: [0.5], 100: [0.7]}}
    picture = labels_saved_svg(Saved(50, 0.8, "lr:tiny", 83.0, (60.0, 90.0)), curves, "title")
    assert "logistic regression on tiny" in picture and "SetFit on tiny" in picture
    assert "spreading" not in picture


def clusters(n: int, classes: int, seed: int) -> tuple[Any, Any]:
    """Unit rows around as many directions as there are classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[:classes] = np.arange(classes)
    return unit(np.eye(8)[labels] + rng.normal(0, 0.25, (n, 8))), labels


def test_logistic_regression_is_at_its_minimum_and_penalises_by_c() -> None:
    rows, labels = clusters(60, 3, 0)
    targets = np.eye(3)[labels]
    made = logistic(rows, targets, 10.0)(rows)
    # The bias is not penalised: at the minimum the mean prediction of each label is its share.
    np.testing.assert_allclose(made.mean(axis=0), targets.mean(axis=0), atol=1e-3)
    loose, tight = (logistic(rows, targets, c)(rows).max(axis=1).mean() for c in (100.0, 0.1))
    assert loose > 0.9 > 0.6 > tight


def test_cross_validation_judges_every_row_by_others() -> None:
    rows, _ = clusters(40, 2, 1)
    labels = stream(0, "noise").integers(0, 2, 40)
    chosen, held_out = cross_validated(rows, labels, 2, 0)
    assert chosen == 1.0  # of labels that are noise the least is learned
    assert (held_out.argmax(axis=1) == labels).mean() < 0.75


def test_spreading_follows_the_clusters_from_one_label_each() -> None:
    rows, labels = clusters(90, 3, 2)
    given = np.arange(3)
    scores = Spreading(rows).scores(given, labels[given], 3)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9
    others, true = clusters(30, 3, 3)
    assert (Spreading(rows).outside(others, scores).argmax(axis=1) == true).mean() > 0.9


def test_pairs_are_of_the_same_label_and_of_another() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    first, second, same = pairs(labels, 0)
    assert len(first) == 2 * PAIRS * len(labels)
    np.testing.assert_array_equal(labels[first] == labels[second], same == 1)
    alone = first == second
    assert set(labels[first[alone]]) == {2}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return load_benchmark("instead")


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> None:
    """Run a benchmark on the folder's data, as it is typed."""
    data = ["--data", str(folder), "--encoders", str(folder / "tiny"), "--outputs", str(folder / "outputs.npy")]
    monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *data, "--tokens", "16", *more])
    script.main()


@pytest.mark.proof
def test_the_script_measures_every_kind_of_method_and_goes_on_where_it_was(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--labels", "10,20", "--seeds", "2", "--draws-slow", "1", "--out", str(folder / "out")]
    run(script, monkeypatch, folder, *words, "--json")
    found = json.loads(capsys.readouterr().out)
    kinds = {row["method"].split(":")[0] for row in found["cells"]}
    assert kinds == {"lr", "spreading", "setfit", "finetune", "mixture-without-llms", "best-llm", "vote", "mollia"}
    ours = [row for row in found["cells"] if row["method"] == "mollia"]
    assert [(row["labels"], row["draw"]) for row in ours] == [(10, 0), (10, 1), (20, 0), (20, 1)]
    assert all({"accuracy", "macro_f1", "pool_accuracy", "wall", "cpu"} <= row.keys() for row in ours)
    assert {row["labels"] for row in found["cells"] if row["method"] == "lr:tiny"} == {10, 20, 50, 60}
    assert {row["draw"] for row in found["cells"] if row["method"] == "setfit:tiny"} == {0}
    assert {row["labels"] for row in found["cells"] if row["method"] == "mixture-without-llms"} == {10, 20, 50}
    assert found["saved"]["with_own"]["labels"] == found["saved"]["without_own"]["labels"] == 10
    assert found["saved"]["without_own"]["method"] != "mixture-without-llms"

    def never(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(script, "measure", never)
    run(script, monkeypatch, folder, *words, "--picture", str(folder / "saved.svg"))
    printed = capsys.readouterr().out
    assert "| mollia | 2 | " in printed and "60 labels (all)" in printed and printed.count("labels saved, with") == 2
    assert (folder / "saved.svg").read_text().startswith("<svg")
    with pytest.raises(AssertionError, match="measured again"):
        run(script, monkeypatch, folder, *words, "--seeds", "3")


def test_without_and_with_worked_examples_are_two_methods_where_both_were_read(script: Any) -> None:
    reading = {"best-llm", "best-llm-shots", "vote", "vote-shots", "mollia", "mollia-shots"}
    both = script.catalogue(("tiny",), 16, True, True)
    assert {name: both[name].reads for name in reading} == {name: (name.endswith("-shots"),) for name in reading}
    shown = script.catalogue(("tiny",), 16, False, True)
    assert reading & shown.keys() == {"best-llm-shots", "vote", "mollia"} and shown["mollia"].reads == (True,)


def test_a_number_of_labels_in_words(script: Any) -> None:
    assert [script.amount(n, 50, 400) for n in (50.0, 74.6, math.inf)] == ["50 or fewer", "75", "more than 400"]


def test_draws_of_more_labels_hold_those_of_fewer_and_the_worked_examples(script: Any) -> None:
    rows = script.order(30, (7, 3), 4)
    assert rows[:2].tolist() == [7, 3] and sorted(rows) == list(range(30))
    assert (rows != script.order(30, (7, 3), 5)).any()


def test_mollia_learns_of_the_encoders_in_its_panel_and_trains_the_classifier_on_probabilities(
    script: Any, folder: Path
) -> None:
    options = script.argparse.Namespace(
        data=str(folder), encoders=[str(folder / "tiny")], panel=[], outputs=folder / "outputs.npy", outputs_shots=None,
        shots=[], columns=None, tokens=16, out=None,
    )  # fmt: skip
    data, gold = script.material(options)
    assert data.embedded["tiny"].sentences.shape[0] == data.embedded["tiny"].thirds.shape[0] == 80
    telling = np.eye(2)[gold] + np.random.default_rng(0).normal(0.0, 0.3, (80, 2))
    data.embedded["tiny"] = script.Embedded(telling, telling[:, None], (0.0, 0.0), (0.0, 0.0))
    rows = script.order(60, (), 0)
    draw = script.Draw(rows[:20], gold[rows[:20]], rows[20:], 0)
    for name in ("mollia", "mixture-without-llms"):  # the LLMs are right on four in five
        answer = script.catalogue(("tiny",), 16, True, False)[name].run(data, draw)
        assert (answer.pool == gold[draw.pool]).mean() > 0.9, name
        assert (answer.test == gold[60:]).mean() > 0.9, name
    head = sys.modules["alternatives"]
    unsure = np.full((40, 2), 0.5)
    sure = np.eye(2)[1 - gold[draw.pool]]
    assert (head.distilled(data, draw, unsure) == gold[60:]).mean() > 0.9  # what is not known does no harm
    assert (head.distilled(data, draw, sure) == gold[60:]).mean() < 0.5


def test_the_mixtures_benchmark_sets_it_beside_its_parts(
    script: ModuleType,
    load_benchmark: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(load_benchmark("mixture"), monkeypatch, folder, "--labels", "20", "--seeds", "2", "--json")
    found = json.loads(capsys.readouterr().out)
    ways = ("labels alone", "no LLM", "LLMs alone", "mixture")
    assert {f"test: {way}" for way in ways} | {"test: all true labels"} <= found.keys()
    assert {name for name in found if name.startswith("pool")} == {f"pool: {way}" for way in ways[1:]}
    assert found["pool: LLMs alone"]["mean"] > 0.6


def test_the_noisy_benchmark_measures_every_way_and_goes_on_where_it_was(
    script: ModuleType,
    load_benchmark: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    noisy = load_benchmark("noisy")
    words = ["--labels", "20", "--pool", "25", "--unread", "40", "--seeds", "2", "--out", str(folder / "out")]
    run(noisy, monkeypatch, folder, *words, "--json")
    rows = json.loads(capsys.readouterr().out)
    unread = {f"unread: {name}" for name in (*noisy.UNREAD, "verdicts", "true labels")}
    assert len(rows) == 2 and rows[0].keys() == {"verdicts", noisy.TRUTH, *noisy.WAYS, *unread}
    monkeypatch.setattr(noisy, "measure", None)
    run(noisy, monkeypatch, folder, *words)
    assert f"| {noisy.TRUTH} | {rows[0][noisy.TRUTH]:.3f} {rows[1][noisy.TRUTH]:.3f} |" in capsys.readouterr().out


def test_fine_tuning_from_the_head_begins_with_what_the_head_says(
    script: ModuleType,
    load_benchmark: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load_benchmark("noisy")
    from_head = load_benchmark("from_head")
    words = ["--labels", "20", "--pool", "25", "--unread", "0", "--rate", "1e-12", "--epochs", "2"]
    found = {}
    for start in ("head", "random"):
        run(from_head, monkeypatch, folder, *words, "--start", start)
        found[start] = json.loads(capsys.readouterr().out)
    assert found["head"]["head alone"] == found["random"]["head alone"] > 0.5
    assert found["head"]["epochs"] == [pytest.approx(found["head"]["head alone"], abs=0.051)] * 2  # one text of 20
    assert found["random"]["epochs"][0] < found["head"]["epochs"][0]


def test_what_is_doubted_is_left_out_and_no_text_vouches_for_itself(
    script: ModuleType, load_benchmark: Callable[[str], ModuleType]
) -> None:
    noisy = load_benchmark("noisy")
    rng = np.random.default_rng(0)
    gold = np.arange(110) % 2
    rows = np.eye(2)[gold] + rng.normal(0.0, 0.2, (110, 2))
    verdicts = np.where(np.eye(2)[gold[10:]] > 0, 0.9, 0.1)
    verdicts[:10] = 1.0 - verdicts[:10]  # wrong, and as sure as the others
    task = noisy.Noisy(gold[:10], verdicts, rows, rows, rows, np.zeros((100, 2), dtype=bool), 0.1)
    assert (task.own.argmax(axis=1) == gold[10:]).mean() > 0.95  # of the wrong ones, too
    chosen = task.surest(task.own)
    assert np.bincount(chosen.verdicts.argmax(axis=1)).tolist() == [40, 40] and len(chosen.other) == 90
    kept = {tuple(row) for row in chosen.features[10:]}
    assert not any(tuple(row) in kept for row in rows[10:20])
    assert set(task.weights[:10]) == {0.5} and task.weights[10:].mean() > 0.95
    assert (noisy.hard(noisy.with_truth(task, gold[10:])) == gold).mean() > 0.95
