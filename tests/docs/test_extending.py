"""docs/extending.md, followed literally in a copy of the repository; docs/commands.md is what the program says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mollia_cli.cli.docs import page

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w+) ?([^\n]*)\n(.*?)```", re.DOTALL)


def mend(path: Path, line: str) -> None:
    """Put a line into the registry of a family, at the front."""
    text = path.read_text(encoding="utf-8")
    place = text.index("    {\n", text.index("Registry(")) + len("    {\n")
    path.write_text(text[:place] + line + text[place:], encoding="utf-8")


def command(line: str, folder: Path, home: Path) -> str:
    program = f'"{sys.executable}" -c "from mollia_cli.cli.main import main; main()"'
    line = re.sub(r"^mollia ", lambda _: program + " ", line)
    line = re.sub(r"^python ", lambda _: f'"{sys.executable}" ', line)
    env = {**os.environ, "PYTHONPATH": str(folder), "MOLLIA_HOME": str(home)}
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.proof
def test_extending_is_as_easy_as_it_says(tmp_path: Path) -> None:
    for part in ("mollia_cli", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    printed: list[str] = []
    for kind, title, text in BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")):
        if title.startswith("registry "):
            mend(tmp_path / title.removeprefix("registry "), text)
        elif kind == "python":
            (tmp_path / title).write_text(text, encoding="utf-8")
        else:
            printed += [command(line[2:], tmp_path, tmp_path / "home") for line in text.splitlines()]
    assert sum(" passed" in text for text in printed) == 2
    assert '"name": "ratio"' in printed[1]
    assert '"name": "median"' in printed[3]
    assert printed[-1] == "[[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]]\n"


def test_the_page_of_commands_is_current() -> None:
    found = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert found == page(), "run: python -m mollia_cli.cli.docs > docs/commands.md"
