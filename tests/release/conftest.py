"""The scripts of release/, imported as they import each other: by name, from their folder."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

RELEASE = Path(__file__).parents[2] / "release"


@pytest.fixture
def load_release(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script of release/ by its name."""
    monkeypatch.syspath_prepend(str(RELEASE))
    for name in ("pins", "lock", "sbom", "audit", "build"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module
