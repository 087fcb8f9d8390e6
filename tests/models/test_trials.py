"""A model file counts as tried with the build of the engine that has loaded it."""

from pathlib import Path

from mollia_cli.models.trials import has_passed, note_passed


def test_another_engine_tries_again(home: Path) -> None:
    assert not has_passed("digest", "b1")
    note_passed("digest", "b1")
    assert has_passed("digest", "b1")
    assert not has_passed("digest", "b2")
    assert not has_passed("other", "b1")
    note_passed("digest", "b2")
    note_passed("other", "b1")
    assert all(has_passed(*pair) for pair in (("digest", "b1"), ("digest", "b2"), ("other", "b1")))


def test_a_damaged_list_of_trials_is_no_error(home: Path) -> None:
    note_passed("digest", "b1")
    (home / "trials.json").write_text("[")
    assert not has_passed("digest", "b1")
