"""Render a GGUF's own Jinja chat template around a text that is not there yet.

The template is somebody else's code: it runs in jinja2's immutable sandbox, and its size,
its output and what it may multiply are bounded.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.prompting import Prompt

# Stands for the text while a template runs: private-use characters, which no template treats specially.
SENTINEL = "\ue0b0\ue0b1text\ue0b1\ue0b0"

MAX_TEMPLATE = 256 << 10
MAX_OUTPUT = 8 << 20
_MAX_REPEAT = 1 << 16

# Templates that print today's date would make another prompt every day; this is Llama 3's own default.
_TODAY = date(2024, 7, 26)

# Reasoning: what opens it, what closes it, and an empty block of it.
_THINKING = (
    ("<think>", "</think>", "<think>\n\n</think>\n\n"),
    ("[THINK]", "[/THINK]", "[THINK][/THINK]"),
    ("<|channel|>analysis", "<|channel|>final", "<|channel|>final<|message|>"),
)


def conversation(prompt: Prompt) -> list[dict[str, str]]:
    """The turns of a prompt, worked examples first; the last user turn holds the sentinel."""
    *asked, last = prompt.turns(SENTINEL)
    turns = []
    for message, (_, label) in zip(asked, prompt.shots, strict=True):
        turns.append({"role": "user", "content": message})
        turns.append({"role": "assistant", "content": label})
    turns.append({"role": "user", "content": last})
    return turns


def around_text(prompt: Prompt, template: str | None, *, bos: str, eos: str) -> tuple[str, str]:
    """What the model sees before and after the text.

    Without a template (a base model) the prompt is a document to complete: worked examples
    one after the other, and no white space at the end, because the answer's first token brings it.
    Raises RefusedError for a template that fails or loses the text.
    """
    if template is None:
        *asked, last = prompt.turns(SENTINEL)
        examples = zip(asked, prompt.shots, strict=True)
        shots = "".join(f"{message.rstrip()} {label}\n\n" for message, (_, label) in examples)
        return shots + last.partition(SENTINEL)[0], prompt.after.rstrip()
    rendered = close_thinking(render(template, conversation(prompt), bos=bos, eos=eos), template)
    before, found, after = rendered.partition(SENTINEL)
    if not found or SENTINEL in after:
        raise RefusedError(
            f"the model's chat template prints the text {rendered.count(SENTINEL)} times instead of once",
            "use another model, or tell its publisher",
        )
    return before, after


def close_thinking(rendered: str, template: str) -> str:
    """End a reasoning block that the template opens or leaves to the model, so that the answer comes at once."""
    tail = rendered.rpartition(SENTINEL)[2]
    for opening, closing, block in _THINKING:
        if closing in template and closing not in tail:
            is_open = opening in tail
            return rendered.rstrip("\n") + block.removeprefix(opening) if is_open else rendered + block
    return rendered


def render(template: str, messages: Sequence[dict[str, str]], *, bos: str, eos: str) -> str:
    """Run a chat template; RefusedError where it fails, refuses the turns or grows without bound."""
    import jinja2

    if len(template) > MAX_TEMPLATE:
        raise RefusedError(
            f"the model's chat template has {len(template):,} characters, at most {MAX_TEMPLATE:,} are run",
            "use another model",
        )
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
                raise RefusedError(f"the model's chat template prints more than {MAX_OUTPUT:,} characters", "")
            parts.append(part)
    except (jinja2.TemplateError, TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
        raise RefusedError(
            f"the model's chat template fails: {error}",
            "try without --shots, or use another model",
        ) from error
    return "".join(parts)


def _refuse(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)


def _environment() -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

    class Bounded(ImmutableSandboxedEnvironment):  # type: ignore[misc]
        """Also bounds ``*`` and ``**``: 'x' * 10**9 would fill the memory from one line of a template."""

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
