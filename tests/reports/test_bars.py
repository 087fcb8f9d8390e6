"""Stacked bars: each part begins where the one before it ends."""

import re
from itertools import pairwise

import pytest

from mollia_cli.reports.bars import bars_chart
from mollia_cli.reports.blocks import Table


def test_parts_stand_behind_each_other() -> None:
    rows = [("one", {"x": 1.0, "y": 3.0, "z": 2.0, "w": 2.0})]
    chart = bars_chart("b", "t", "d", rows, "s", Table("", [], []))
    found = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="16"', chart.body)
    spans = [(float(x), float(x) + float(width)) for x, width in found]
    assert len(spans) == 4
    for (_, end), (start, _) in pairwise(spans):
        assert start == pytest.approx(end, abs=0.15)
    assert [round((end - start) / (spans[0][1] - spans[0][0])) for start, end in spans] == [1, 3, 2, 2]
