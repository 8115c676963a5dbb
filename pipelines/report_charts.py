"""The report's charts, as SVG inside the page: bars, histograms with their thresholds, the map of head poses."""

from collections.abc import Mapping
from html import escape

from liax.html_page import svg
from pipelines.histograms import Histogram, PoseMap

KEPT_COLOR, LOST_COLOR, PALE_COLOR, LIMIT_COLOR, FAINT = "#2f9e6e", "#d2604f", "#f0cfca", "#222", "#ddd"
CHART_WIDTH, CHART_HEIGHT, MARGIN = 300, 110, 18
"""In the units of the drawing, which are pixels at full size."""
CELL, AXIS = 26, 44
BAR_WIDTH = 320


def bar(count: float, most: float, kept: bool) -> str:
    """One bar of a table; its full width stands for `most`."""
    width = BAR_WIDTH * count / most if most else 0
    color = KEPT_COLOR if kept else LOST_COLOR
    return f"<svg width={BAR_WIDTH} height=12><rect width='{width:.1f}' height=12 fill='{color}'/></svg>"


def histogram_svg(name: str, histogram: Histogram) -> str:
    """Kept clips below, left-out ones on top of them, each threshold as a dashed line with its setting's name."""
    bins = len(histogram.kept)
    tallest = max(kept + lost for kept, lost in zip(histogram.kept, histogram.left_out, strict=True)) or 1
    floor, height = CHART_HEIGHT + MARGIN, CHART_HEIGHT
    step = CHART_WIDTH / bins
    parts = []
    for place, (kept, lost) in enumerate(zip(histogram.kept, histogram.left_out, strict=True)):
        kept_height, lost_height = height * kept / tallest, height * lost / tallest
        for size, top, color in (
            (kept_height, floor - kept_height, KEPT_COLOR),
            (lost_height, floor - kept_height - lost_height, LOST_COLOR),
        ):
            if size:
                at = f"x='{place * step + 0.5:.1f}' y='{top:.1f}' width='{step - 1:.1f}' height='{size:.1f}'"
                parts.append(f"<rect {at} fill='{color}'/>")
    for setting, limit in histogram.limits.items():
        x = CHART_WIDTH * (limit - histogram.least) / (histogram.most - histogram.least)
        side = "start" if x < CHART_WIDTH / 2 else "end"
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{MARGIN - 4}' y2='{floor}' stroke='{LIMIT_COLOR}' "
            f"stroke-dasharray='4 3'/><text x='{x:.1f}' y='{MARGIN - 7}' text-anchor='{side}'>"
            f"{escape(setting)} {limit:.4g}</text>"
        )
    ends = ((0, "start", histogram.least), (CHART_WIDTH, "end", histogram.most))
    parts += [f"<text x='{x}' y='{floor + 14}' text-anchor='{side}'>{value:.4g}</text>" for x, side, value in ends]
    parts.append(f"<line x1=0 x2={CHART_WIDTH} y1={floor} y2={floor} stroke='{LIMIT_COLOR}'/>")
    parts.append(f"<text x='{CHART_WIDTH / 2}' y='{floor + 14}' text-anchor='middle'>{_counted(histogram)}</text>")
    return (
        f"<figure class=chart><figcaption><b>{escape(name.replace('_', ' '))}</b>, median {histogram.median:.4g}"
        f"</figcaption>{svg(CHART_WIDTH, floor + MARGIN, parts)}</figure>"
    )


def _counted(histogram: Histogram) -> str:
    kept, lost = sum(histogram.kept), sum(histogram.left_out)
    return f"{kept} kept" + (f", {lost} left out" if lost else "")


def pose_map_svg(poses: PoseMap) -> str:
    """Seconds of clips by mean yaw and pitch; the darker the more. Up is looking up, right is turning to their left."""
    yaw, pitch, rows = poses.yaw_edges_deg, poses.pitch_edges_deg, poses.seconds
    most = max(max(row) for row in rows) or 1.0
    width, height = CELL * (len(yaw) - 1), CELL * (len(pitch) - 1)
    parts = []
    for upwards, row in enumerate(rows):
        for across, seconds in enumerate(row):
            x, y = AXIS + CELL * across, height - CELL * (upwards + 1)
            # The root makes rare poses visible beside the frontal one.
            strength = (seconds / most) ** 0.5
            where = f"yaw {yaw[across]}…{yaw[across + 1]}°, pitch {pitch[upwards]}…{pitch[upwards + 1]}°"
            parts.append(
                f"<rect x={x} y={y} width={CELL - 1} height={CELL - 1} fill='{KEPT_COLOR}' "
                f"fill-opacity='{strength:.3f}' stroke='{FAINT}'><title>{where}: {seconds:.0f} s</title></rect>"
            )
            if seconds >= 1:
                parts.append(f"<text x={x + CELL // 2 - 1} y={y + 16} text-anchor=middle>{_short(seconds)}</text>")
    parts += _axes(poses, width, height)
    return svg(width + 2 * AXIS, height + AXIS, parts)


def _axes(poses: PoseMap, width: int, height: int) -> list[str]:
    parts = [
        f"<text x={AXIS + CELL * place} y={height + 15} text-anchor=middle>{edge}°</text>"
        for place, edge in enumerate(poses.yaw_edges_deg)
        if place % 3 == 0
    ]
    parts += [
        f"<text x={AXIS - 6} y={height - CELL * place + 4} text-anchor=end>{edge}°</text>"
        for place, edge in enumerate(poses.pitch_edges_deg)
        if place % 2 == 0
    ]
    parts.append(f"<text x={AXIS + width // 2} y={height + 34} text-anchor=middle>yaw → turned to their left</text>")
    at = f"x=12 y={height // 2} text-anchor=middle transform='rotate(-90 12 {height // 2})'"
    return [*parts, f"<text {at}>pitch → looking up</text>"]


def _short(seconds: float) -> str:
    """A time that fits into a cell."""
    for unit, length_s in (("h", 3600), ("m", 60)):
        if seconds >= length_s:
            return f"{seconds / length_s:.0f}{unit}"
    return f"{seconds:.0f}s"


def funnel_svg(steps: Mapping[str, tuple[int, int]]) -> str:
    """For each step what came in (pale) and what went on (full), on a scale of its own, as each counts other things."""
    parts, row = [], 34
    for place, (what, (came_in, went_on)) in enumerate(steps.items()):
        y, share = place * row, went_on / came_in if came_in else 0.0
        parts.append(
            f"<text x=90 y={y + 19} text-anchor=end class=big>{escape(what)}</text>"
            f"<rect x=100 y={y + 4} width={BAR_WIDTH} height=20 fill='{PALE_COLOR}'/>"
            f"<rect x=100 y={y + 4} width='{BAR_WIDTH * share:.1f}' height=20 fill='{KEPT_COLOR}'/>"
            f"<text x={110 + BAR_WIDTH} y={y + 19} class=big>{went_on} of {came_in}</text>"
        )
    return svg(BAR_WIDTH + 260, row * len(steps), parts)
