"""``mollia doctor``: what annotation runs on, and what is wrong with it."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mollia_cli import __version__, models
from mollia_cli.annotators.gguf.doctor import doctor_info, unused_gpu
from mollia_cli.domain.errors import MolliaError

LIBRARIES = ("llama-cpp-python", "numpy", "scipy", "torch", "transformers", "safetensors", "xgboost-cpu", "xgboost")


def doctor() -> dict[str, Any]:
    """Facts by name, with ``problems`` (what does not work) and ``warnings`` (what could be better).

    Every installed LLM's file is compared with its digest; a file that did not change is not read again.
    """
    problems: list[str] = []
    warnings: list[str] = []
    engine: dict[str, Any] = {}
    try:
        engine = doctor_info()
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"llama.cpp cannot be loaded: {error}; install llama-cpp-python again")
    else:
        warnings.extend(filter(None, [unused_gpu()]))
    found = [_model(name, problems) for name in models.installed_names("llm", tuned=True)]
    if not found:
        warnings.append("no LLM is installed: mollia models pull smollm2-135m-instruct")
    return {
        "ok": not problems,
        "problems": problems,
        "warnings": warnings,
        "mollia": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: known for name in LIBRARIES if (known := _version(name))},
        "engine": engine,
        "models": found,
    }


def _model(name: str, problems: list[str]) -> dict[str, Any]:
    try:
        file = models.resolve_llm(name)
    except MolliaError as error:
        problems.append(f"{error.message}; {error.hint}")
        return {"name": name, "state": "damaged", "sha256": None}
    return {"name": name, "state": "ok", "sha256": file.sha256}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
