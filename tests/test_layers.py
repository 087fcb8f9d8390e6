"""The import rules of the design: who may import whom, and which library has which home."""

import ast
from collections.abc import Iterator
from pathlib import Path

import mollia_cli

ROOT = Path(mollia_cli.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
FAMILIES = {
    "readers",
    "writers",
    "prompts",
    "annotators",
    "engines",
    "aggregators",
    "learners",
    "strategies",
    "stopping",
    "models",
}
LIGHT = {
    "aggregators",
    "engines",
    "strategies",
    "stopping",
    "models",
    "readers",
}  # their registries: for help and completion
HOUSE = ["machine", "insight", "loop", "project"]  # from the top: each may use those behind it
LLAMA = "annotators/llama"
ROOMS = [f"{LLAMA}/{room}" for room in ("decode", "answers", "guard", "binding")]
# A file's floor is the longest of these that its path begins with; it may import what begins with one of the values.
MAY_IMPORT = {
    "domain": {"domain"},
    "store": {"store", "domain"},
    "reports": {"reports", "domain", "aggregators/quality"},  # a measure's words come with the measure
    "demo": set(),
    "cli": {"cli", *HOUSE, "reports", "domain", *LIGHT},
    "cli/complete.py": {"cli", "domain", "store", *LIGHT},
    "api.py": {*HOUSE, "reports", "domain", "store/merge", "store/runs", "strategies/base"},  # what it gives back
    "__main__.py": {"cli"},
    "__init__.py": {"api", "domain"},
    **{floor: {*HOUSE[number:], *FAMILIES, "store", "domain"} for number, floor in enumerate(HOUSE)},
    **{family: {family, "domain"} for family in FAMILIES},
    **{room: {*ROOMS[number:], "domain"} for number, room in enumerate(ROOMS)},
    f"{LLAMA}/answers": {f"{LLAMA}/answers", f"{LLAMA}/binding", "domain"},
    "annotators/server": {"annotators/server", "annotators/base", *ROOMS[:2], f"{LLAMA}/binding", "domain"},
}
HOMES = {
    "typer": {"cli"},
    "rich": {"cli"},
    "textual": {"cli"},
    "msgspec": {"domain"},
    "sqlite_utils": {"store"},
    "sqlite3": {"store"},
    "tomlkit": {"store"},
    "llama_cpp": {LLAMA},
    "torch": {"learners"},
    "transformers": {"learners"},
    "xgboost": {"aggregators"},
    "jinja2": {LLAMA, "reports"},  # chat templates of other people, sandboxed; the page of our own
    "markupsafe": {"reports"},
    "platformdirs": {"models"},
    "pyarrow": {"readers", "writers"},
    "openpyxl": {"readers"},
    "dask": {"engines"},
    "distributed": {"engines"},
    "ray": {"engines"},
}


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, whenever it does; what only a type checker reads left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unread: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            unread.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in unread:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")


def test_imports_point_down() -> None:
    wrong = []
    for file, path in FILES.items():
        floor = max((floor for floor in MAY_IMPORT if below(file, floor)), key=len)
        for name in imports(path):
            package, _, target = name.replace(".", "/").partition("/")
            if package != "mollia_cli" or target in ("", "__version__"):
                continue
            if not any(below(target, allowed) for allowed in MAY_IMPORT[floor]):
                wrong.append(f"{file} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_library_has_one_home() -> None:
    wrong = []
    for file, path in FILES.items():
        for name in imports(path):
            homes = HOMES.get(name.split(".")[0])
            if homes is not None and not any(below(file, home) for home in homes):
                wrong.append(f"{file} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_modules_stay_short() -> None:
    lines = {file: len(path.read_text(encoding="utf-8").splitlines()) for file, path in FILES.items()}
    assert not {file: count for file, count in lines.items() if count > 400}


def test_no_pickle() -> None:
    pickles = {"pickle", "dill", "joblib", "shelve", "marshal"}
    wrong = [file for file, path in FILES.items() if pickles & {name.split(".")[0] for name in imports(path)}]
    assert not wrong
