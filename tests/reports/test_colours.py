"""The colours: enough contrast, and told apart by people with colour vision deficiencies."""

import re
from importlib import resources
from itertools import combinations

import numpy as np
import pytest

from mollia_cli.domain.observations import FloatArray
from mollia_cli.reports.svg import COLOURS

# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
STYLE = (resources.files("mollia_cli.reports") / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in STYLE.split("@media")[:2])


def linear(colour: str) -> FloatArray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(linear(colour) @ TO_XYZ[1]) for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


def cielab(rgb: FloatArray) -> FloatArray:
    x = TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def mixed(colour: str, paper: str, share: float) -> str:
    parts = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (colour, paper)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(*parts, strict=True))


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(scheme: dict[str, str]) -> None:
    paper = scheme["paper"]
    assert min(contrast(scheme[name], paper) for name in ("ink", "soft", "accent", "c1")) >= 4.5
    assert contrast(scheme["ink"], scheme["wash"]) >= 4.5
    assert min(contrast(scheme[f"c{n}"], paper) for n in range(len(COLOURS))) >= 3
    # numbers can be read on the deepest cells
    assert min(contrast(scheme["ink"], mixed(scheme[hue], paper, 0.75)) for hue in ("h0", "h1")) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_any_two_series_differ_to_everyone(scheme: dict[str, str], sight: str) -> None:
    seen = [cielab(np.array(SIGHT[sight]) @ linear(scheme[f"c{n}"])) for n in range(len(COLOURS))]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 15


def test_files_of_their_own_have_the_colours_of_the_light_page() -> None:
    assert tuple(LIGHT[f"c{n}"] for n in range(len(COLOURS))) == COLOURS
