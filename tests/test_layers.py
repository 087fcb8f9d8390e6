"""The import rules of the design: who may import whom, and which library has which home."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mollia_cli

ROOT = Path(mollia_cli.__file__).parent
FAMILIES = {
    "readers",
    "writers",
    "prompts",
    "annotators",
    "aggregators",
    "learners",
    "strategies",
    "stopping",
    "models",
}
MAY_IMPORT = {
    "domain": {"domain"},
    "store": {"store", "domain"},
    "workflow": {"workflow", "store", "domain"} | FAMILIES,
    "reports": {"reports", "store", "domain"} | FAMILIES,
    "demo": set(),
    "api.py": {"workflow", "store", "domain"} | FAMILIES,
    **{family: {family, "domain"} for family in FAMILIES},
}
# The command line calls workflows; of the families it may read the light registries, for help and completion.
MAY_IMPORT["cli"] = {
    "cli",
    "workflow",
    "reports",
    "domain",
    "aggregators",
    "strategies",
    "stopping",
    "models",
    "readers",
}
ONLY_STORE_HELPER = ("cli/complete.py", "store")
HOMES = {
    "typer": {"cli"},
    "rich": {"cli"},
    "textual": {"cli"},
    "sqlite_utils": {"store"},
    "sqlite3": {"store"},
    "tomlkit": {"store"},
    "llama_cpp": {"annotators/gguf"},
    "torch": {"learners"},
    "transformers": {"learners"},
    "xgboost": {"aggregators"},
    "jinja2": {"annotators/gguf", "reports"},  # chat templates of other people, sandboxed; the page of our own
    "markupsafe": {"reports"},
    "platformdirs": {"models"},
    "pyarrow": {"readers", "writers"},
}
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    in_type_checking: set[ast.AST] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            in_type_checking.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in in_type_checking:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "mollia_cli":
                yield from (f"mollia_cli.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down(file: str) -> None:
    layer = file.split("/")[0]
    if layer == "__init__.py":
        return
    for name in imports(ROOT / file):
        if name.startswith("mollia_cli."):
            target = name.split(".")[1]
            if (file, target) == ONLY_STORE_HELPER or target == "__version__":
                continue
            assert target in MAY_IMPORT[layer], f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_every_library_has_one_home(file: str) -> None:
    for name in imports(ROOT / file):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or any(file.startswith(f"{home}/") for home in homes), f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_modules_stay_short(file: str) -> None:
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("file", FILES)
def test_no_pickle(file: str) -> None:
    assert not {"pickle", "dill", "joblib", "shelve", "marshal"} & {name.split(".")[0] for name in imports(ROOT / file)}
