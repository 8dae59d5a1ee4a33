"""Write a sweep as tables and as a picture of heat maps. Knows the keys of its result, computes no score."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.evaluation.left_out import say_left_out
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.pages.document import Block, Heading, Paragraph, Table
from llmcxr.pages.tables import interval, number

TASKS = ("reading", "drawing")
# the settings of a point: a heat map for each of the first, down, across
AXES = {"reading": ("prompt", "temperature", "top_p"), "drawing": ("top_k", "temperature", "guidance")}
LOWER_IS_BETTER = ("kernel distance", "pairwise ms-ssim")
PANEL = (3.6, 2.9)  # inches
TITLE_LENGTH = 34  # characters of a prompt above a panel


def sweep_blocks(result: dict) -> list[Block]:
    """Write one table a task, with the best point beneath it."""
    blocks: list[Block] = []
    for task in TASKS:
        if task not in result:
            continue
        points, axes = result[task]["points"], AXES[task]
        names = list(points[0]["scores"])
        rows = [
            [
                *(_text(point[axis]) for axis in axes),
                *(
                    number(one["value"]) + interval(one["interval"])
                    for one in (point["scores"][name] for name in names)
                ),
            ]
            for point in points
        ]
        header = [*(axis.replace("_", "-") for axis in axes), *names]
        left_out = [Paragraph(f"{sentence}.") for sentence in say_left_out(result[task]["studies"])]
        blocks += [Heading(task.capitalize()), *left_out, Table(header, rows)]
        if result[task]["best"]:
            best = ", ".join(
                f"{name.replace('_', '-')} {_text(value)}" for name, value in result[task]["best"].items()
            )
            blocks.append(Paragraph(f"Best by {result[task]['by']}: {best}. Judge it on other studies."))
    return blocks


def check_plotting() -> None:
    """Raise UserError where there is no matplotlib; call this before long work."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UserError("heat maps need matplotlib: pip install 'llmcxr[plot]'") from error


def draw_sweep(result: dict) -> bytes:
    """Draw a PNG of one heat map for each prompt (reading) and each top-k (drawing); dark is better.

    Reading has temperature over top-p, drawing temperature over guidance. The maps of a task share their
    colours. Raises UserError where matplotlib is missing or no point has a score.
    """
    check_plotting()
    from matplotlib.figure import Figure

    tasks = [task for task in TASKS if result.get(task, {}).get("by")]
    if not tasks:
        raise UserError("expected a score at every point, found none to draw; judge more studies: --n")
    columns = max(len(_panels(result[task], task)) for task in tasks)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * len(tasks) + 0.3), layout="constrained")
    for row, task in enumerate(tasks):
        for column, panel in enumerate(_panels(result[task], task)):
            axes = figure.add_subplot(len(tasks), columns, row * columns + column + 1)
            _draw_panel(axes, task, panel, result[task])
    figure.supxlabel(DISCLAIMER, fontsize=7, color="#626a74")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _draw_panel(axes: Any, task: str, panel: Any, swept: dict) -> None:
    (first, down, across), by = AXES[task], swept["by"]
    value_of = {
        (point[first], point[down], point[across]): point["scores"][by]["value"] for point in swept["points"]
    }
    rows, columns = (list(dict.fromkeys(point[axis] for point in swept["points"])) for axis in (down, across))
    low, high = min(value_of.values()), max(value_of.values())
    values = np.array([[value_of[panel, y, x] for x in columns] for y in rows])
    colours = "Blues_r" if by in LOWER_IS_BETTER else "Blues"
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    for y, x in np.ndindex(values.shape):
        is_dark = sum(shown.cmap(shown.norm(values[y, x]))[:3]) < 1.5
        axes.text(x, y, f"{values[y, x]:.3g}", ha="center", va="center", color="w" if is_dark else "k")
    axes.set_xticks(range(len(columns)), [_text(x) for x in columns])
    axes.set_yticks(range(len(rows)), [_text(y) for y in rows])
    axes.set_xlabel(across.replace("_", "-"))
    axes.set_ylabel(f"{task}: {down}")
    name = panel if first == "prompt" else f"{first.replace('_', '-')} {panel or 'all'}"
    short = by.partition(",")[0]
    axes.set_title(f"{name[:TITLE_LENGTH]}\n{short}", fontsize=9)


def _panels(swept: dict, task: str) -> list:
    """List what has a heat map of its own, in the order of the grid."""
    return list(dict.fromkeys(point[AXES[task][0]] for point in swept["points"]))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
