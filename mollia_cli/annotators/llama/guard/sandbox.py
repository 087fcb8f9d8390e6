"""Run a chat template: somebody else's code.

It runs in jinja2's immutable sandbox, in a process of its own (child.py) with little time and memory. Nothing in Jinja
reaches a file or a network from there; but a few lines of it can loop for ever, or double a list until the memory is
full, in more ways than a list of forbidden ones could name.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from mollia_cli.annotators.llama.guard.child import answer, limit
from mollia_cli.domain.errors import RefusedError

SECONDS = 1  # of computing time; real templates take a hundredth of it
MEMORY = 512 << 20  # bytes of address space; Python and jinja2 take a fifth of it
MAX_OUTPUT = 8 << 20
_MAX_REPEAT = 1 << 16

# Templates that print today's date would make another prompt every day; this is Llama 3's own default.
_TODAY = date(2024, 7, 26)


def render(template: str, messages: Sequence[dict[str, str]], *, bos: str, eos: str) -> str:
    """Run a chat template; RefusedError where it fails, refuses the turns or grows without bound."""
    values = {
        "messages": list(messages),
        "add_generation_prompt": True,
        "bos_token": bos,
        "eos_token": eos,
        "enable_thinking": False,
        "thinking": False,
        "raise_exception": _refuse,
        "strftime_now": _TODAY.strftime,
    }
    parts: list[str] = []
    size = 0
    try:
        for part in _environment().from_string(template).generate(values):
            size += len(part)
            if size > MAX_OUTPUT:
                raise RefusedError(
                    f"the model's chat template prints more than {MAX_OUTPUT:,} characters", "use another model"
                )
            parts.append(part)
    except RefusedError:
        raise
    except MemoryError:
        why = f"it needs more than {MEMORY >> 20} MB of memory"
    except RecursionError:
        why = "it is nested too deeply, or calls itself without end"
    except Exception as error:  # whatever its code raises is its failure
        why = str(error) or type(error).__name__
    else:
        return "".join(parts)
    raise RefusedError(f"the model's chat template fails: {why[:300]}", "try without --shots, or use another model")


def _refuse(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)


def _environment() -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

    class Bounded(ImmutableSandboxedEnvironment):  # type: ignore[misc]
        """Also bounds ``*`` and ``**``, for systems that do not limit the memory of a process."""

        intercepted_binops = frozenset(["*", "**"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            sizes = [len(v) if isinstance(v, str | list | tuple) else abs(v) for v in (left, right)]
            if operator == "**" or max(sizes) > _MAX_REPEAT:
                raise SecurityError(f"{operator} on such values is not allowed in a chat template")
            return super().call_binop(context, operator, left, right)

    # The two trims are how templates are run where they are trained (transformers).
    environment = Bounded(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    return environment


def _work(request: dict[str, Any]) -> dict[str, Any]:
    limit("CPU", SECONDS)
    limit("AS", MEMORY)
    return {"text": render(**request)}


if __name__ == "__main__":
    answer(_work)
