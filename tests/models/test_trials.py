"""What was found out by trying: kept by its stamp, added to, and no more than a cache."""

from pathlib import Path

from mollia_cli.models.trials import remember, remembered


def test_each_stamp_has_its_own_facts_which_add_up(home: Path) -> None:
    assert remembered("one") == {}
    remember("one", {"file": True})
    assert remembered("two") == {}
    remember("two", {"file": False})
    remember("one", {"other": 3})
    assert remembered("one") == {"file": True, "other": 3}
    remember("one", {"file": False})
    assert remembered("one") == {"file": False, "other": 3}
    assert remembered("two") == {"file": False}


def test_a_damaged_list_of_trials_is_no_error(home: Path) -> None:
    remember("one", {"file": True})
    (home / "trials.json").write_text("[")
    assert remembered("one") == {}
    (home / "trials.json").write_text('{"one": ["file"]}')
    assert remembered("one") == {}
