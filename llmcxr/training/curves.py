"""Draw the learning curves of run directories from their `metrics.jsonl`. Knows no models and no training."""

from __future__ import annotations

import io
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.guard import check_outputs
from llmcxr.images import FIGURE, write_figure

METRICS_FILE = "metrics.jsonl"
COLUMNS = 3
NOT_CURVES = ("step", "epoch")  # what every line counts
Curves = dict[str, dict[str, list[tuple[float, float]]]]  # metric -> kind ("train", ...) -> (step, value)


def read_curves(run_dir: Path) -> Curves:
    """Read from a run's metrics.jsonl what has two steps or more. Raises UserError where nothing has."""
    path = run_dir / METRICS_FILE
    if not path.is_file():
        raise UserError(f"{path}: missing; name a run directory, such as the run_dir of a configuration")
    curves: Curves = defaultdict(lambda: defaultdict(list))
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except (json.JSONDecodeError, RecursionError):  # the last line of a killed run may be cut off
            continue
        for name, value in entry.items():
            if name not in NOT_CURVES and isinstance(value, int | float) and math.isfinite(value):
                curves[name][entry.get("kind", "run")].append((entry["step"], value))
    long_enough = {
        name: {kind: points for kind, points in kinds.items() if len(points) > 1}
        for name, kinds in curves.items()
    }
    found = {name: kinds for name, kinds in long_enough.items() if kinds}
    if not found:
        raise UserError(f"{path}: expected at least two steps, found fewer; train longer first")
    return found


def draw_curves(run_dirs: Sequence[Path], out: Path) -> Path:
    """Draw one small plot per metric, with a line for each run, into a PNG.

    Raises UserError where metrics or matplotlib are missing.
    """
    check_outputs([run_dir / METRICS_FILE for run_dir in run_dirs], (out, FIGURE))
    runs = [(run_dir.name, read_curves(run_dir)) for run_dir in run_dirs]
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("learning curves need matplotlib: pip install 'llmcxr[plot]'") from error
    panels = [(run, name, kinds) for run, curves in runs for name, kinds in curves.items()]
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.6 * rows), layout="constrained")
    for number, (run, name, kinds) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, COLUMNS, number, title=f"{run}: {name}", xlabel="step")
        for kind, points in kinds.items():
            steps, values = zip(*sorted(points), strict=True)
            axes.plot(steps, values, label=kind, linewidth=1)
        if len(kinds) > 1:
            axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return write_figure(out, png.getvalue())
