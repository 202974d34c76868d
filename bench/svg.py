"""Small plots as SVG, readable on a light and on a dark page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 760
LEFT, RIGHT, TOP, BOTTOM = 190, 70, 44, 40
BAR = 34
CURVES_HEIGHT = 340
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 11px; fill: #59636e; }
.grid { stroke: #d1d9e0; } .target { stroke: #bc4c00; stroke-width: 2; }
.target-text { font-size: 11px; fill: #bc4c00; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
.s0 { fill: #0969da; stroke: #0969da; } .s1 { fill: #8250df; stroke: #8250df; }
.s2 { fill: #1a7f37; stroke: #1a7f37; }
polyline { fill: none !important; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text, .title { fill: #e6edf3; } .small { fill: #9198a1; }
  .grid { stroke: #3d444d; } .target { stroke: #f0883e; } .target-text { fill: #f0883e; }
  .spread { stroke: #e6edf3; }
  .s0 { fill: #4493f8; stroke: #4493f8; } .s1 { fill: #ab7df8; stroke: #ab7df8; }
  .s2 { fill: #3fb950; stroke: #3fb950; }
}"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One ratio, from where to where it went, and where it should be."""

    name: str
    value: float
    low: float
    high: float
    target: float | None
    target_text: str


def document(height: float, title: str, parts: Sequence[str]) -> str:
    """Put parts into a picture."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" aria-label="{escape(title)}">',
            f"<style>\n{STYLE}\n</style>",
            f'<text class="title" x="12" y="24">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def words(x: float, y: float, told: str, *, kind: str = "", anchor: str = "start") -> str:
    """Write a text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(told)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draw a line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bars(title: str, unit: str, shown: Sequence[Bar]) -> str:
    """Draw ratios as bars, with their spread and their target."""
    most = 1.1 * max([1.0, *(bar.high for bar in shown), *(bar.target or 0 for bar in shown)])
    span = WIDTH - LEFT - RIGHT
    bottom = TOP + BAR * len(shown)
    parts = []
    step = next(each for each in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 1e9) if most / each <= 8)  # noqa: PLR2004 eight lines are enough
    for number in range(int(most / step) + 1):
        x = LEFT + span * number * step / most
        parts += [line(x, TOP, x, bottom, "grid")]
        parts += [words(x, bottom + 16, f"{number * step:g}", kind="small", anchor="middle")]
    for number, bar in enumerate(shown):
        y = TOP + BAR * number
        width = span * bar.value / most
        parts += [
            words(LEFT - 10, y + 22, bar.name, anchor="end"),
            f'<rect class="s0" x="{LEFT}" y="{y + 9}" width="{width:.1f}" height="16" rx="2"/>',
            line(LEFT + span * bar.low / most, y + 17, LEFT + span * bar.high / most, y + 17,
                 "spread"),
            words(WIDTH - RIGHT + 8, y + 22, f"{bar.value:.2f}"),
        ]  # fmt: skip
        if bar.target is not None:
            x = LEFT + span * bar.target / most
            parts += [line(x, y + 4, x, y + 30, "target")]
            parts += [words(x + 4, y + 8, bar.target_text, kind="target-text")]
    parts += [words(LEFT, bottom + 34, unit, kind="small")]
    return document(bottom + BOTTOM + 4, title, parts)


def curves(title: str, unit: str, shown: Mapping[str, Sequence[float]]) -> str:
    """Draw percentiles 0 to 100 over a logarithmic scale of values."""
    values = [each for curve in shown.values() for each in curve]
    low = math.floor(math.log10(max(min(values), 0.01)))
    high = math.ceil(math.log10(max(values)))
    left, bottom = 60, CURVES_HEIGHT - BOTTOM
    across, up = WIDTH - left - 20, bottom - TOP - 10 * len(shown)
    top = bottom - up

    def place(value: float, percent: float) -> tuple[float, float]:
        part = (math.log10(max(value, 10**low)) - low) / max(high - low, 1)
        return left + across * part, bottom - up * percent / 100

    parts = []
    for power in range(low, high + 1):
        x, _ = place(10.0**power, 0)
        parts += [line(x, top, x, bottom, "grid")]
        parts += [words(x, bottom + 16, f"{10.0**power:g}", kind="small", anchor="middle")]
    for percent in (0, 25, 50, 75, 100):
        _, y = place(1, percent)
        parts += [line(left, y, left + across, y, "grid")]
        parts += [words(left - 8, y + 4, f"{percent} %", kind="small", anchor="end")]
    for number, (name, curve) in enumerate(shown.items()):
        points = " ".join("{:.1f},{:.1f}".format(*place(v, p)) for p, v in enumerate(curve))
        x = left + number * across / len(shown)
        parts += [
            f'<polyline class="s{number}" points="{points}"/>',
            f'<rect class="s{number}" x="{x:.1f}" y="{TOP - 8}" width="12" height="4"/>',
            words(x + 18, TOP - 2, name, kind="small"),
        ]
    parts += [words(left, bottom + 34, unit, kind="small")]
    return document(CURVES_HEIGHT, title, parts)
