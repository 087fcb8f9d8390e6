"""The suite itself: what `make test` leaves out is named and run by CI, and every test can fail."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
# Calls that fail where something is not as it should be.
CHECKS = {"raises", "warns", "fail", "check_returncode", "assert_array_equal", "assert_allclose", "assert_array_less"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def recipe(target: str) -> str:
    """The commands of a target of the Makefile."""
    lines = iter((ROOT / "Makefile").read_text().splitlines())
    next(line for line in lines if line.startswith(f"{target}:"))
    return "\n".join(line for line in iter(lambda: next(lines, ""), "") if line.startswith("\t"))


def test_the_slow_proofs_are_left_out_by_name_and_run_by_ci() -> None:
    shown, run = recipe("test").splitlines()[-2:]
    assert run.endswith('-m "not proof"') and "make proofs" in shown
    assert recipe("proofs").splitlines()[-1].endswith("-m proof")
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-3:] == ["make lint", "make test", "make proofs"]


def holds_check(node: ast.AST, helpers: set[str]) -> bool:
    """Whether there is an assertion in it, or a call of what checks: of ``CHECKS``, or by its bare name of a helper."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            if name in CHECKS or (isinstance(part.func, ast.Name) and name in helpers):
                return True
    return False


def unchecked(path: Path) -> Iterator[str]:
    """The tests of a file in which nothing is checked, neither by themselves nor by a function of the file."""
    found = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, FUNCTIONS)]
    helpers: set[str] = set()
    while more := {n.name for n in found if holds_check(n, helpers)} - helpers:
        helpers |= more
    return (n.name for n in found if n.name.startswith("test_") and n.name not in helpers)


@pytest.mark.parametrize("folder", sorted({path.parent for path in TESTS.rglob("test_*.py")}), ids=lambda f: f.name)
def test_every_test_checks_something(folder: Path) -> None:
    assert {path.name: names for path in folder.glob("test_*.py") if (names := list(unchecked(path)))} == {}


def test_a_test_that_checks_nothing_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_some.py"
    path.write_text(
        "def helper(): assert f()\n"
        "def test_one(): helper()\n"
        "def test_two(): raises(E)\n"
        "def test_three(): f().helper()\n"
        "def test_four(): f()\n"
    )
    assert list(unchecked(path)) == ["test_three", "test_four"]
