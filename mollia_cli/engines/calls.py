"""A call that crosses to another process: a function by its name, texts for it, and the text that it gives back.

The answer is JSON, too: what the function returned, or the error that it raised, which is raised again here.
"""

import json
from collections.abc import Callable
from importlib import import_module
from traceback import format_exc

from mollia_cli.domain import errors
from mollia_cli.domain.errors import MolliaError

_PACKAGE = "mollia_cli."


def answer(function: str, *texts: str) -> str:
    """On the worker: ``function``, "module:name" of this package, called; its text or its error as JSON."""
    try:
        return json.dumps({"value": _found(function)(*texts)})
    except MolliaError as error:
        return json.dumps({"error": [type(error).__name__, error.message, error.hint, error.exit_code]})
    except Exception:
        *where, what = format_exc().strip().splitlines()
        return json.dumps({"error": ["MolliaError", f"a worker failed: {what}", "\n".join(where), 1]})


def read(answered: str) -> str:
    """Here: the text that the function returned; raises what it raised, as the same kind of MolliaError."""
    found = json.loads(answered)
    if "error" in found:
        kind, message, hint, exit_code = found["error"]
        made = getattr(errors, kind, MolliaError)
        raise made(message, hint, exit_code)
    return str(found["value"])


def _found(function: str) -> Callable[..., str]:
    module, _, name = function.partition(":")
    if not module.startswith(_PACKAGE):
        raise MolliaError(f"no worker calls {function!r}", "only functions of mollia's own modules are called")
    found: Callable[..., str] = getattr(import_module(module), name)
    return found
