"""requirements.lock: the pins of constraints.txt, each with its hashes."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def lock(load_release: Callable[[str], ModuleType]) -> ModuleType:
    return load_release("lock")


def test_the_lock_has_every_pin_with_a_hash(lock: ModuleType) -> None:
    pins, locked = lock.read_pins(lock.CONSTRAINTS), lock.read_pins(lock.LOCK)
    assert {name: pin.version for name, pin in locked.items()} == {name: pin.version for name, pin in pins.items()}, (
        "run `make lock`"
    )
    assert all(pin.hashes for pin in locked.values())
    assert lock.lock_text(locked[name] for name in sorted(locked)) == lock.LOCK.read_text()
    assert "://" not in lock.LOCK.read_text()  # it names no index


def test_hashes_add_up_while_a_pin_stays(lock: ModuleType) -> None:
    pins = {name: lock.Pin(name, "2.0") for name in ("stays", "moves", "built-here")}
    before = {"stays": lock.Pin("stays", "2.0", {A}), "moves": lock.Pin("moves", "1.0", {A})}
    now = {
        "stays": lock.Pin("stays", "2.0", {B}),
        "moves": lock.Pin("moves", "2.0", {B}),
        "built-here": lock.Pin("built_here", "2.0+cpu", {C}),
    }
    merged = {pin.name: pin.hashes for pin in lock.merge(pins, before, now)}
    assert merged == {"stays": {A, B}, "moves": {B}, "built-here": {C}}


def test_what_pip_reports_is_read(lock: ModuleType) -> None:
    archive = {"archive_info": {"hashes": {"sha256": A}}}
    report = {"install": [{"metadata": {"name": "Some_Thing", "version": "1.0+cpu"}, "download_info": archive}]}
    assert lock.from_report(report) == {"some-thing": lock.Pin("Some_Thing", "1.0+cpu", frozenset({A}))}


def test_a_lock_is_read_as_it_is_written(lock: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(lock.lock_text([lock.Pin("Some.Thing", "1.0", frozenset({B, A}))]))
    assert path.read_text().splitlines()[1:] == [
        "Some.Thing==1.0 \\", f"    --hash=sha256:{A} \\", f"    --hash=sha256:{B}"
    ]  # fmt: skip
    assert lock.read_pins(path) == {"some-thing": lock.Pin("Some.Thing", "1.0", frozenset({A, B}))}


def test_a_pin_that_no_index_has_is_an_error(lock: ModuleType) -> None:
    with pytest.raises(SystemExit, match="nowhere==1"):
        lock.lock_text([lock.Pin("nowhere", "1")])
