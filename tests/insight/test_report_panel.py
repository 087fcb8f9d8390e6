"""The panel report of a project."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.members import ENCODER, MemberSpec
from mollia_cli.domain.observations import Texts
from mollia_cli.domain.report import Measurement, Missing
from mollia_cli.insight.report import panel_report
from mollia_cli.insight.report.panel import panel_quality
from mollia_cli.insight.review import open_labelling
from mollia_cli.loop.aggregate import fit_aggregator
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project


def test_the_panel_is_reported(observed: Project) -> None:
    quality, _, _ = panel_report(observed)
    json.dumps(asdict(quality), allow_nan=False)
    assert [llm.annotator for llm in quality.llms] == ["ada", "bob", "cyd"]
    for llm in quality.llms:
        assert (llm.items, llm.observed, llm.tokens, llm.seconds) == (60, 260, 9 * 260, None)
        assert llm.lower < llm.accuracy < llm.upper  # type: ignore[operator]
        assert llm.coverage == 1.0
    assert quality.agreement.items == 260
    assert 0.05 < (quality.agreement.krippendorff_alpha or 0.0) < 0.6
    kappa = quality.agreement.cohen_kappa
    assert [kappa[i][i] for i in range(3)] == [1.0, 1.0, 1.0] and kappa[0][1] == kappa[1][0] != 1.0


def test_every_llm_adds_something_to_equals(observed: Project) -> None:
    quality, _, _ = panel_report(observed)
    assert sum(llm.value or 0.0 for llm in quality.llms) > 0
    for llm in quality.llms:
        assert llm.value is not None and llm.value_lower is not None and llm.value_upper is not None
        assert llm.value_lower < llm.value < llm.value_upper


def test_every_encoder_is_left_out_once(observed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts made up: one encoder tells the labels, the other nothing; the only LLM cannot be left out."""
    settings = observed.settings
    encoders = (MemberSpec("telling", ENCODER), MemberSpec("noise", ENCODER))
    panel = replace(settings.panel, members=(settings.panel.members[0], *encoders))
    observed.settings = replace(settings, panel=panel)
    rng = np.random.default_rng(0)
    truth = {item.id: item.label for split in ("seed", "pool") for item in observed.store.items.in_split(split)}
    rows = {name: rng.normal(0.0, 0.3, (1, 4)) + np.eye(4)[label] for name, label in truth.items() if label is not None}
    noise = {name: rng.normal(size=(1, 4)) for name in truth}

    def read(name: str, ids: Sequence[str]) -> Any:
        return np.array([{"telling": rows, "noise": noise}[name][item_id] for item_id in ids])

    texts = Texts(("telling", "noise"), read)
    monkeypatch.setattr(annotation, "panel_texts", lambda project: texts)
    quality = panel_quality(observed, annotation.members(observed), "mixture")
    (llm,), (telling, nothing) = quality.llms, quality.encoders
    assert (llm.annotator, llm.value) == ("ada", None)
    assert (telling.encoder, nothing.encoder) == ("telling", "noise")
    assert telling.value is not None and telling.value > 0.15
    assert telling.value_lower is not None and telling.value_lower > 0
    assert nothing.value is not None and abs(nothing.value) < 0.1
    # an aggregator that looks at no texts has nothing to leave out of them
    blind = panel_quality(observed, annotation.members(observed), "vote")
    assert [one.value for one in blind.encoders] == [None, None]


def label_seeds(project: Project, n: int) -> None:
    """A person gives n more seed items their true labels."""
    labelling = open_labelling(project, len(project.store.items.ids("seed")) + n)
    while labelling.card is not None:
        assert labelling.card.item.label is not None
        labelling.label(labelling.card.item.label)


def test_what_was_chosen_for_being_typical_is_learned_from_and_not_measured_on(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET split = 'pool' WHERE split = 'seed'")
    label_seeds(observed, 40)
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Measurement)
    assert found.on == "20 of 40 seed items (drawn at random), cross-fitted"
    assert quality.on == "20 of 40 seed items (drawn at random)"
    assert found.items == sum(b.n for b in found.reliability) == sum(map(sum, found.counts)) == 20
    assert {llm.items for llm in quality.llms} == {20} and quality.agreement.items == 20 + 220
    fitted = fit_aggregator(observed, also=observed.store.items.ids("pool"))
    known, chosen = fitted.calibration, observed.store.decisions.seeds_chosen()
    assert known is not None and fitted.fit.seed_items == 40
    drawn = [item.id for item in fit_seeds(observed) if chosen[item.id] == "random"]
    assert len(known.right) == len(known.placed) == len(drawn) == 20  # so the calibration is of these, too
    assert found.accuracy == known.right.mean()


def test_without_a_random_sample_there_is_no_accuracy(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET split = 'pool' WHERE split = 'seed'")
    label_seeds(observed, 12)
    observed.store._db.execute("UPDATE decisions SET chosen = 'seed'")
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Missing) and "none of the 12 seed items was drawn at random" in found.message
    assert {(llm.accuracy, llm.lower, llm.value, llm.value_lower) for llm in quality.llms} == {(None,) * 4}


def test_imported_and_drawn_seeds_are_measured_on_together(observed: Project) -> None:
    label_seeds(observed, 10)
    _, found, _ = panel_report(observed)
    assert isinstance(found, Measurement)
    words = "65 of 70 seed items (5 drawn at random, 60 imported and taken as a random sample), cross-fitted"
    assert found.on == words


def test_the_aggregator_is_reported_as_it_was_calibrated(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    known = fit_aggregator(observed, also=pool).calibration
    _, found, _ = panel_report(observed)
    assert known is not None and isinstance(found, Measurement)
    assert (found.who, found.items, found.ece, found.ece_before) == ("conditional_logit", 60, known.ece, known.raw_ece)
    assert found.on == "60 seed items (imported, taken as a random sample), cross-fitted"
    assert found.accuracy == known.right.mean()
    assert sum(b.n for b in found.reliability) == 60
    # the matrix is of the same cross-fitting as the confidence
    assert sum(found.counts[k][k] for k in range(4)) == known.right.sum()


def test_an_aggregator_that_learns_nothing_is_measured_as_it_is(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, aggregate=replace(settings.aggregate, aggregator="vote"))
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Measurement)
    assert (found.who, found.items, found.ece_before, found.temperature) == ("vote", 60, None, None)
    assert all(llm.value is not None for llm in quality.llms)


def test_a_panel_of_one(observed: Project) -> None:
    settings = observed.settings
    observed.settings = replace(settings, panel=replace(settings.panel, members=settings.panel.members[:1]))
    (llm,) = panel_report(observed)[0].llms
    assert llm.value is None


def test_without_true_labels_form_and_agreement_are_known(observed: Project) -> None:
    observed.store._db.execute("UPDATE items SET label = NULL")
    quality, found, _ = panel_report(observed)
    assert isinstance(found, Missing)
    for llm in quality.llms:
        assert (llm.accuracy, llm.lower, llm.upper, llm.ece, llm.value) == (None,) * 5
        assert (llm.items, llm.coverage) == (200, 1.0)
    assert quality.agreement.items == 200


def test_a_panel_that_has_read_nothing(observed: Project) -> None:
    observed.store._db.execute("DELETE FROM observations")
    with pytest.raises(NotFoundError, match="no item was annotated"):
        panel_report(observed)


def test_annotating_records_its_seconds(make_project: object) -> None:
    project = make_project()  # type: ignore[operator]
    annotation.annotate(project, project.store.items.ids("pool")[:3])
    (row,) = project.store.observations.summary()
    assert row["items"] == 3 and row["seconds"] > 0
