"""Draw the learning curves of run directories from their `metrics.jsonl`. Knows no models and no training."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.images import write_figure
from vqgan.json_text import from_json

METRICS_FILE = "metrics.jsonl"
COLUMNS = 3
NOT_CURVES = ("step", "epoch")  # what every line counts
Curves = dict[str, dict[str, list[tuple[float, float]]]]  # metric -> kind ("train", ...) -> (step, value)


def read_curves(run_dir: Path) -> Curves:
    """Read the numbers of a run's metrics.jsonl. Raises UserError where there are none."""
    path = run_dir / METRICS_FILE
    if not path.is_file():
        raise UserError(f"{path}: missing; name a run directory, such as the run_dir of a configuration")
    curves: Curves = defaultdict(lambda: defaultdict(list))
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = from_json(line)
        except ValueError:  # the last line of a killed run may be cut off
            continue
        if not isinstance(entry, dict) or not _is_number(entry.get("step")):
            continue
        for name, value in entry.items():
            if name not in NOT_CURVES and _is_number(value):
                curves[name][entry.get("kind", "run")].append((entry["step"], value))
    if not curves:
        raise UserError(f"{path}: expected the figures of a step, found none yet; train longer first")
    return {name: dict(kinds) for name, kinds in curves.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_runs(run_dirs: Sequence[Path]) -> tuple[dict[Path, Curves], list[UserError]]:
    """Read the runs that have figures; say why others have none. Raises UserError where no run has any."""
    runs: dict[Path, Curves] = {}
    missing = []
    for run_dir in run_dirs:
        try:
            runs[run_dir] = read_curves(run_dir)
        except UserError as error:
            missing.append(error)
    if not runs:
        raise UserError("; ".join(map(str, missing)))
    return runs, missing


def draw_curves(runs: Mapping[Path, Curves], out: Path) -> Path:
    """Draw one small plot per run and metric, with a line for each kind ("train", ...), into a PNG; what has
    one step is a dot.

    Raises UserError where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("learning curves need matplotlib: pip install 'llmcxr[plot]'") from error
    names = _name(list(runs))
    panels = [(names[run], name, kinds) for run, curves in runs.items() for name, kinds in curves.items()]
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.6 * rows), layout="constrained")
    for number, (run, name, kinds) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, COLUMNS, number, title=f"{run}: {name}", xlabel="step")
        for kind, points in kinds.items():
            steps, values = zip(*sorted(points), strict=True)
            axes.plot(steps, values, label=kind, linewidth=1, marker="o" if len(points) == 1 else "")
        if len(kinds) > 1:
            axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return write_figure(out, png.getvalue())


def _name(run_dirs: Sequence[Path]) -> dict[Path, str]:
    """Name runs by their folders, or by their paths where two folders have one name."""
    names = [run_dir.resolve().name for run_dir in run_dirs]
    is_plain = len(set(names)) == len(names)
    return {path: name if is_plain else str(path) for path, name in zip(run_dirs, names, strict=True)}
