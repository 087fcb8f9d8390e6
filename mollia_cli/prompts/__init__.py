"""Prompt templates: rendering, and the check of their placeholders.

``paper.txt`` is the prompt of the paper's appendix; ``described.txt`` adds the labels' descriptions; ``question.txt``
asks whether one label applies. There the text comes before the label, so that it may be read once for all labels.
"""

import re
from importlib import resources

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.prompting import Prompt

LABEL = "label"  # the placeholder of a question
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w*)\}|(?P<brace>[{}])")


def builtin_template(name: str) -> str:
    """The text of a template that ships with mollia: "paper", "described" or "question"."""
    return (resources.files(__name__) / "templates" / f"{name}.txt").read_text(encoding="utf-8")


def render(
    template: str,
    labels: LabelSet,
    noun: str,
    task: str,
    source: str = "prompt.txt",
    asked: str = "",
) -> Prompt:
    """Fill everything but ``{text}``, which cuts the prompt in two; ``{{`` and ``}}`` are literal braces.

    asked: of a project with several labels, the one that the question is about, which ``{label}`` stands for.
    An unknown placeholder, another single brace, or ``{text}`` missing or given twice, raises InputError naming
    ``source``.
    """
    described = zip(labels.names, labels.descriptions, strict=True)
    values = {
        "labels": ", ".join(labels.names),
        "descriptions": "\n".join(f"- {name}: {text}" if text else f"- {name}" for name, text in described),
        "noun": noun,
        "Noun": noun[:1].upper() + noun[1:],
        "task": task,
        **({LABEL: asked} if asked else {}),
    }
    if asked and f"{{{LABEL}}}" not in template:
        raise InputError(f"{source} does not hold the placeholder {{label}}", "put {label} where the question names it")
    parts = [""]
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        parts[-1] += template[end : match.start()]
        end = match.end()
        name = match.group(1)
        if match["brace"]:
            line = template.count("\n", 0, match.start()) + 1
            raise InputError(
                f"{source}:{line}: a brace that is no placeholder's: {template[match.start() :].splitlines()[0][:20]}",
                "write {{ and }} for braces that the LLM is to read",
            )
        if name is None:
            parts[-1] += match.group(0)[0]
        elif name == "text":
            parts.append("")
        elif name in values:
            parts[-1] += values[name]
        else:
            raise InputError(
                f"{source}: unknown placeholder {match.group(0)}",
                f"known: {', '.join('{' + known + '}' for known in ('text', *values))}; write {{{{ for a literal brace",
            )
    parts[-1] += template[end:]
    if len(parts) != 2:
        count = "does not hold" if len(parts) == 1 else "holds more than once"
        raise InputError(f"{source} {count} the placeholder {{text}}", "put {text} where the text to label belongs")
    return Prompt(parts[0], parts[1].rstrip("\n"))
