"""Numbers in words."""

AGREEMENT_EXPLAINED = (
    "Both are 1 for full agreement and 0 for none but by chance. Kappa takes chance from how often each of the two"
    " gives each label, alpha from all answers together: where LLMs prefer different labels, alpha is the lower."
)


def share(value: float | None) -> str:
    """Three digits, or that it is not known."""
    return "unknown" if value is None else f"{value:.3f}"


def percent(value: float) -> str:
    """A share for plain reading."""
    return f"{100 * value:.0f}%"


def interval(lower: float | None, upper: float | None) -> str:
    """A 95% interval."""
    return "unknown" if lower is None or upper is None else f"{lower:.3f} to {upper:.3f}"


def ends(lower: float | None, upper: float | None) -> tuple[float, float] | None:
    """Both ends of an interval, where there is one."""
    return None if lower is None or upper is None else (lower, upper)


def accuracy_words(value: float, items: int, lower: float | None, upper: float | None) -> str:
    """A share of items with its 95% interval; of too few for one, the numbers themselves."""
    if lower is None or upper is None:
        return f"{round(value * items)}/{items}"
    return f"{value:.3f} ({lower:.3f} to {upper:.3f})"


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours, in the two largest units."""
    if seconds is None:
        return "not measured"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
