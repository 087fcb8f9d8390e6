"""Render a GGUF's own Jinja chat template around a text that is not there yet.

The template is somebody else's code: see sandbox.py.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

from mollia_cli.annotators.llama.guard.child import ChildError, call
from mollia_cli.domain.errors import MolliaError, RefusedError
from mollia_cli.domain.printable import count
from mollia_cli.domain.prompting import Prompt

# Stands for the text while a template runs: private-use characters, which no template treats specially.
SENTINEL = "\ue0b0\ue0b1text\ue0b1\ue0b0"

MAX_TEMPLATE = 256 << 10
_SANDBOX = "mollia_cli.annotators.llama.guard.sandbox"
_SECONDS = 60.0  # until the process is given up; its computing time is limited to less

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
            f"the model's chat template prints the text {count(rendered.count(SENTINEL), 'time')} instead of once",
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
    """Run a chat template in a process of its own; RefusedError where it fails or takes too much of anything."""
    if len(template) > MAX_TEMPLATE:
        raise RefusedError(
            f"the model's chat template has {count(len(template), 'character')}, at most {MAX_TEMPLATE:,} are run",
            "use another model",
        )
    request = json.dumps({"template": template, "messages": list(messages), "bos": bos, "eos": eos})
    return _rendered(request)


@lru_cache(maxsize=64)
def _rendered(request: str) -> str:
    try:
        return str(call(_SANDBOX, json.loads(request), _SECONDS)["text"])
    except ChildError as error:
        raise RefusedError(f"the model's chat template {error}", "use another model, or tell its publisher") from None
    except MolliaError as error:
        raise RefusedError(error.message, error.hint) from None
