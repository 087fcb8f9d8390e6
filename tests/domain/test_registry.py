"""Members of other packages: found by entry points, loaded when asked for, refused with their package's name."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mollia_cli.domain.errors import InputError, MolliaError, RefusedError
from mollia_cli.domain.registry import Entry, Registry, plugin_packages

GOOD = """
from mollia_cli.strategies.base import Strategy, top

class Theirs(Strategy):
    name = "theirs"
    source = "nobody"

    def select(self, signals, n, rng):
        return top(signals.ids, rng.random(len(signals.ids)), n)
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package onto the path: its one module, and its entry points of the strategies."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, points: str, code: str = GOOD) -> None:
        (tmp_path / f"{package}_code.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{package}-1.2.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\nSummary: what {package} is for\n"
        (info / "METADATA").write_text(about, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[mollia.strategies]\n{points}\n", encoding="utf-8")
        sys.modules.pop(f"{package}_code", None)

    return installed


@pytest.fixture
def registry() -> Registry:
    return Registry("strategy", "mollia_cli.strategies", {"random": Entry("Random", "a sample")}, "Strategy")


def test_another_packages_member_is_listed_without_loading_it_and_loaded_by_name(
    install: Install, registry: Registry
) -> None:
    assert list(registry) == ["random"] and plugin_packages() == []
    install("acme", "theirs = acme_code:Theirs")
    assert list(registry) == ["random", "theirs"]
    assert "theirs" in registry and registry.check("theirs") == "theirs"
    assert registry.summary("theirs") == "what acme is for"
    assert (registry.package("theirs"), registry.package("random")) == ("acme 1.2", "mollia 0.1.0")
    assert "acme_code" not in sys.modules
    assert registry.load("theirs").__module__ == "acme_code"
    assert plugin_packages() == ["acme"]


def test_the_nearest_name_may_be_another_packages(install: Install, registry: Registry) -> None:
    install("acme", "theirs = acme_code:Theirs")
    with pytest.raises(InputError, match="no strategy is called 'their'") as error:
        registry.load("their")
    assert error.value.hint == "did you mean 'theirs'? known: random, theirs"


def test_our_own_name_stays_ours_and_who_claims_it_is_named(install: Install, registry: Registry) -> None:
    install("acme", "random = acme_code:Theirs")
    assert registry.load("random").__module__ == "mollia_cli.strategies.random"
    with pytest.raises(
        RefusedError, match=r"the package acme 1\.2 calls a strategy 'random', as mollia itself does"
    ) as error:
        list(registry)
    assert "pip uninstall acme" in error.value.hint


def test_two_packages_with_one_name_are_both_named(install: Install, registry: Registry) -> None:
    install("acme", "theirs = acme_code:Theirs")
    install("bolt", "theirs = bolt_code:Theirs")
    with pytest.raises(RefusedError, match=r"the package bolt 1\.2 calls .*'theirs', as the package acme 1\.2 does"):
        registry.load("theirs")


BROKEN = {
    "a module that is not there": ("theirs = nowhere:Theirs", GOOD, "ModuleNotFoundError: No module named 'nowhere'"),
    "a class that is not there": ("theirs = acme_code:Mine", GOOD, "AttributeError: .*'Mine'"),
    "a value that is no place": ("theirs = acme code::x", GOOD, "cannot be loaded"),
    "code that fails": ("theirs = acme_code:Theirs", "1 / 0", "ZeroDivisionError: division by zero"),
    "no class": ("theirs = acme_code:Theirs", "Theirs = 7", "is no class but 7"),
    "no strategy": ("theirs = acme_code:Theirs", "class Theirs: pass", "lacks name, needs, question, select, source"),
    "half a strategy": ("theirs = acme_code:Theirs", GOOD.replace("def select", "def choose"), "lacks select"),
    "another name": ("theirs = acme_code:Theirs", GOOD.replace('"theirs"', '"ours"'), "is called 'ours' by its class"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_member_is_an_error_that_names_its_package(install: Install, registry: Registry, case: str) -> None:
    points, code, said = BROKEN[case]
    install("acme", points, code)
    assert list(registry) == ["random", "theirs"]
    with pytest.raises(MolliaError, match=rf"strategy 'theirs' of the package acme 1\.2 .*{said}") as error:
        registry.load("theirs")
    assert error.value.hint == "install another version of it, or: pip uninstall acme"


def test_a_list_of_entry_points_that_is_none_names_its_package(install: Install, registry: Registry) -> None:
    install("acme", "nonsense")
    with pytest.raises(RefusedError, match=r"the entry points of the package acme 1\.2 cannot be read"):
        list(registry)
    assert registry.load("random").name == "random"


def test_a_closed_family_takes_none(install: Install) -> None:
    install("acme", "theirs = acme_code:Theirs")
    closed = Registry("strategy", "mollia_cli.strategies", {"random": Entry("Random", "a sample")})
    assert list(closed) == ["random"] and "theirs" not in closed


@pytest.mark.parametrize("family", ["strategies", "aggregators", "annotators", "learners", "stopping"])
def test_our_own_members_keep_the_contract_that_others_are_held_to(family: str) -> None:
    from importlib import import_module

    (registry,) = (
        found for found in vars(import_module(f"mollia_cli.{family}")).values() if isinstance(found, Registry)
    )
    assert [name for name in registry if registry._breach(name, registry.load(name))] == []
