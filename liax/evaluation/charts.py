"""The results as a picture: for each measure, every clip's model value against the copied source's."""

import io
from collections.abc import Sequence

from liax.evaluation.definitions import Metric, Protocol, of_protocol
from liax.evaluation.records import TrialRecord

_COLUMNS, _PANEL_INCHES = 4, 2.6


def scatter_png(records: Sequence[TrialRecord], protocol: Protocol) -> bytes | None:
    """A PNG, a panel a measure and a dot a clip; None where there is nothing to draw. A dot on the line is no better
    than showing the source; the shaded side is better."""
    panels = [(metric, points) for metric in of_protocol(protocol) if (points := _points(records, protocol, metric))]
    if not panels:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # not pyplot, whose figures are the whole process's
    from matplotlib.figure import Figure

    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(_PANEL_INCHES * _COLUMNS, _PANEL_INCHES * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (metric, points) in enumerate(panels):
        axis = figure.add_subplot(rows, _COLUMNS, place + 1)
        copies, models = zip(*points, strict=True)
        low, high = min(*copies, *models), max(*copies, *models)
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        ends = [low - margin, high + margin]
        axis.fill_between(ends, ends, ends[0] if metric.better == "lower" else ends[1], color="#e5f2ec", lw=0)
        axis.plot(ends, ends, color="grey", lw=0.8)
        axis.scatter(copies, models, s=9, color="#2f6f9e")
        axis.set(xlim=ends, ylim=ends)
        axis.set_title(f"{metric.title}{f', {metric.unit}' if metric.unit else ''}", fontsize=8)
        axis.set_xlabel("copy", fontsize=7)
        axis.set_ylabel("model", fontsize=7)
        axis.tick_params(labelsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def _points(records: Sequence[TrialRecord], protocol: Protocol, metric: Metric) -> list[tuple[float, float]]:
    """Copy's and model's values of the clips that have both."""
    points = []
    for record in records:
        copy, model = (record.values.get(name, {}).get(metric.name) for name in ("copy", "model"))
        if record.protocol == protocol and copy is not None and model is not None:
            points.append((copy, model))
    return points
