"""benchmarks/faults.py: its list fits the source, and it tells a fault that is noticed from one that is not."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def faults(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("faults")


@pytest.fixture
def fault(faults: Any) -> Any:
    return next(fault for fault in faults.read_list() if fault.name == "negative-at-delta")


def test_every_fault_has_its_place_and_its_tests(faults: Any) -> None:
    listed = faults.read_list()
    assert len(listed) >= 60 + 27
    for fault in listed:
        assert fault.old != fault.new
        faults.find_module(fault, faults.ROOT)
        assert faults.find_tests(fault, faults.ROOT)


@pytest.mark.proof
def test_two_faults_are_noticed(
    faults: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["negative-at-delta", "a-budget-that-is-reached-goes-on"]
    monkeypatch.setattr(sys, "argv", ["faults.py", "--only", *names, "--json"])
    assert faults.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["killed"], found["survived"]) == (2, 0)
    assert [row["name"] for row in found["faults"]] == names
    assert found["faults"][0]["by"] == "tests/aggregators/test_negatives.py::test_delta_itself_is_not_below_delta"


@pytest.mark.proof
def test_a_change_that_no_test_holds_survives_unless_it_is_explained(faults: Any, fault: Any) -> None:
    unheard = replace(fault, old="the paper's delta, or the smallest", new="some delta, or the smallest")
    with faults.copied() as root:
        path = faults.find_module(unheard, root)
        before = path.read_text(encoding="utf-8")
        assert faults.put_in(unheard, root)["state"] == "survived"
        assert faults.put_in(replace(unheard, harmless="a docstring"), root)["state"] == "harmless"
        assert path.read_text(encoding="utf-8") == before
    assert path.is_relative_to(root) and not root.exists()


def test_a_text_that_is_gone_or_there_twice_is_an_error_that_says_so(faults: Any, fault: Any) -> None:
    with pytest.raises(faults.ListError, match=r"negative-at-delta: its text is no longer in .*negatives\.py"):
        faults.find_module(replace(fault, old="no such text"), faults.ROOT)
    with pytest.raises(faults.ListError, match="its text stands 2 times"):
        faults.find_module(replace(fault, old="_evidence(panel, rule)"), faults.ROOT)
    with pytest.raises(faults.ListError, match=r"0 test files are called test_none\.py"):
        faults.find_tests(replace(fault, tests=("test_none.py",)), faults.ROOT)
    with pytest.raises(faults.ListError, match=r"2 test files are called test_scores\.py"):
        faults.find_tests(replace(fault, tests=("test_scores.py",)), faults.ROOT)


def test_a_file_that_has_moved_is_found_by_the_faults_text(faults: Any, fault: Any) -> None:
    assert faults.find_module(fault, faults.ROOT).name == "negatives.py"
    assert faults.find_module(replace(fault, module="elsewhere/rules.py"), faults.ROOT).name == "negatives.py"
    with pytest.raises(faults.ListError, match="which is gone, nor in any other file"):
        faults.find_module(replace(fault, module="elsewhere/rules.py", old="no such text"), faults.ROOT)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('name = "a"\nmodule = "m"\nold = "o"\nnew = "n"', "a: 'tests'"),
        ('name = "a"\nmodule = "m"\nold = "o"\nnew = "n"\ntests = []\nodd = 1', "odd"),
    ],
)
def test_an_entry_that_lacks_something_is_named(faults: Any, tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(f"[[fault]]\n{entry}\n")
    with pytest.raises(faults.ListError, match=said):
        faults.read_list(path)
