"""Facts about an engine: stored by its stamp, added to, and no more than a cache."""

from pathlib import Path

from mollia_cli.models.engine_facts import engine_facts, store_engine_facts


def test_each_stamp_has_its_own_facts_which_add_up(home: Path) -> None:
    assert engine_facts("one") == {}
    store_engine_facts("one", {"file": True})
    assert engine_facts("two") == {}
    store_engine_facts("two", {"file": False})
    store_engine_facts("one", {"other": 3})
    assert engine_facts("one") == {"file": True, "other": 3}
    store_engine_facts("one", {"file": False})
    assert engine_facts("one") == {"file": False, "other": 3}
    assert engine_facts("two") == {"file": False}


def test_a_damaged_file_of_facts_is_no_error(home: Path) -> None:
    store_engine_facts("one", {"file": True})
    (home / "engine-facts.json").write_text("[")
    assert engine_facts("one") == {}
    (home / "engine-facts.json").write_text('{"one": ["file"]}')
    assert engine_facts("one") == {}
