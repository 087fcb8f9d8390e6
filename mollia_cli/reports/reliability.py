"""Reliability diagrams: the accuracy of labels by their confidence, and how many there are."""

from mollia_cli.aggregators.quality import wilson
from mollia_cli.domain.report import Measurement
from mollia_cli.reports.blocks import Chart, Table
from mollia_cli.reports.svg import COLOURS, axis_x, axis_y, marker, points, text

WIDTH, HEIGHT = 340, 380
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 12, 300
STRIP = 44  # height of the strip of bars below, which shows how many there are
MARKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability_chart(found: Measurement) -> Chart:
    """Each bin's accuracy with its 95% interval against its mean confidence; bars below: how many."""
    side = BOTTOM - STRIP - TOP - 8

    def place(confidence: float, accuracy: float) -> tuple[float, float]:
        return LEFT + confidence * (WIDTH - LEFT - RIGHT), TOP + (1 - accuracy) * side

    frame = (LEFT, WIDTH - RIGHT, TOP, TOP + side)
    parts = [*axis_y(*frame, MARKS, "accuracy"), *axis_x(*frame[:3], BOTTOM, MARKS, "confidence")]
    ends = points([place(0, 0), place(1, 1)])
    parts.append(f'<polyline points="{ends}" class="soft" stroke="#666666" stroke-dasharray="4 4"/>')
    most = max(b.n for b in found.reliability)
    rows = []
    for b in found.reliability:
        low, high = wilson(round(b.n * b.accuracy), b.n)
        x = place(b.confidence, 0)[0]
        whisker = f'x1="{x:.1f}" x2="{x:.1f}" y1="{place(0, low)[1]:.1f}" y2="{place(0, high)[1]:.1f}"'
        parts.append(f'<line {whisker} stroke="{COLOURS[0]}" class="s0" stroke-width="1.5"/>')
        parts.append(marker(place(b.confidence, b.accuracy), 0, 4.5))
        start, tall = place(b.lower, 0)[0], b.n / most * STRIP
        size = f'width="{place(b.upper, 0)[0] - start - 2:.1f}" height="{tall:.1f}"'
        parts.append(f'<rect x="{start + 1:.1f}" y="{BOTTOM - tall:.1f}" {size} class="quiet" fill="#999999"/>')
        rows.append([f"{b.lower:.1f} to {b.upper:.1f}", b.n, b.confidence, b.accuracy, low, high])
    parts.append(text((LEFT - 8, BOTTOM - STRIP + 10), f"{most}", "end"))
    parts.append(text((LEFT - 8, BOTTOM + 4), "0", "end"))
    title = f"Reliability: {found.who}, {found.on}"
    return Chart(
        f"reliability-{found.kind}",
        title,
        f"Reliability diagram: on the dashed diagonal, accuracy equals confidence. ECE {found.ece:.3f}.",
        WIDTH,
        HEIGHT - 40,
        "\n".join(parts),
        Table(title, ["confidence", "labels", "mean confidence", "accuracy", "95% from", "95% to"], rows),
    )
