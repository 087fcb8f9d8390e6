"""``guidelines.md`` in the project's folder: what people read when they label, and the LLMs where it helps."""

from mollia_cli.domain.errors import InputError
from mollia_cli.project.context import Project

GUIDELINES_FILE = "guidelines.md"


def read_guidelines(project: Project) -> str:
    """What the project's guidelines say, or "" where there are none; InputError for a file that is no UTF-8."""
    path = project.root / GUIDELINES_FILE
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
