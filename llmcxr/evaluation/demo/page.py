"""Write the demonstration as one HTML file that needs nothing beside it: images inlined, no scripts, no
fonts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from llmcxr.common.files import replacing
from llmcxr.evaluation.demo.records import Drawing, Reading
from llmcxr.evaluation.demo.sheet import NOTICE
from llmcxr.metrics.answers.matchers import is_right
from llmcxr.pages.document import inline_image

IMAGE = 256  # px
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #181c21; background: #f1f3f5; margin: 0 auto;
       max-width: 1180px; padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; }
.notice { background: #fff4d6; border: 1px solid #e3c46b; padding: .5rem .8rem; border-radius: 6px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(510px, 1fr)); gap: 1rem; }
.card { display: flex; gap: .9rem; background: #fff; border: 1px solid #d6dbe0; border-radius: 8px;
        padding: .9rem; }
.card img { width: 192px; height: 192px; flex: none; border-radius: 3px; }
.card p { margin: .1rem 0 .5rem; } .prompt { font-size: 1.05rem; font-weight: 600; }
.small { color: #626a74; font-size: .85rem; margin: 0; }
table { border-collapse: collapse; font-size: .88rem; background: #fff; }
td, th { text-align: left; padding: .1rem .7rem .1rem 0; vertical-align: top; font-weight: 400; }
th { color: #626a74; } .yes { color: #167d42; } .no { color: #be2d28; }
.scores td, .scores th { border: 1px solid #d6dbe0; padding: .25rem .7rem; }
.scores td { text-align: right; }
"""


def write_page(
    path: Path, drawings: Sequence[Drawing], readings: Sequence[Reading], summary: dict, n: int
) -> None:
    """Write the page. `summary` is that of `summarise`, measured on `n` held-out phantoms."""
    body = [
        "<h1>One model that draws, reads and answers</h1>",
        f'<p class="notice">{escape(NOTICE)}</p>',
        "<h2>Drawn from a sentence, then read by the same model</h2>",
        f'<div class="cards">{"".join(map(_drawing, drawings))}</div>',
        "<h2>Fresh phantoms: read, and asked about</h2>",
        f'<div class="cards">{"".join(map(_reading, readings))}</div>',
        f"<h2>Scored on {n} held-out phantoms each way</h2>",
        _scores(summary),
        "<p class='small'>Reading: F1 of each finding in the written reports. Drawing: share of the requests"
        " naming a finding in whose drawing a classifier that took part in no loss sees it, on the side"
        f" asked for. {n} phantoms are few: differences below 0.1 mean little. A dash: no such phantom among"
        " them.</p>",
    ]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>llmcxr demo</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _drawing(drawing: Drawing) -> str:
    rows = "".join(
        f"<tr><td>{_mark(check.is_met)}</td><td>{escape(check.requested)}</td>"
        f"<td>{escape(check.measured)}</td></tr>"
        for check in drawing.checks
    )
    return (
        f'<div class="card">{inline_image(drawing.image, "synthetic: " + drawing.prompt, IMAGE)}<div>'
        f'<p class="prompt">{escape(drawing.prompt)}</p>'
        f'<p class="small">The model\'s own report of its drawing</p><p>{escape(drawing.report)}</p>'
        f"<table><tr><th></th><th>requested</th><th>measured</th></tr>{rows}</table></div></div>"
    )


def _reading(reading: Reading) -> str:
    rows = "".join(
        f"<tr><td>{_mark(is_right(answer, question.answer, question.kind))}</td>"
        f"<td>{escape(question.question)}</td><td>{escape(answer)}</td>"
        f"<td>{escape(question.answer)}</td></tr>"
        for question, answer in reading.answered
    )
    return (
        f'<div class="card">{inline_image(reading.image, "synthetic phantom", IMAGE)}<div>'
        f'<p class="small">The model\'s report</p><p>{escape(reading.report)}</p>'
        f'<p class="small">What is in the phantom</p><p>{escape(reading.truth)}</p>'
        f"<table><tr><th></th><th>question</th><th>answer</th><th>truth</th></tr>{rows}</table></div></div>"
    )


def _scores(summary: dict) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{_number(summary['reading_f1'][name])}</td>"
        f"<td>{_number(summary['drawing_agreement'][name])}</td></tr>"
        for name in summary["reading_f1"]
    )
    ratio = (
        f"<tr><th>cardiothoracic ratio, r</th><td>{_number(summary['ctr_read_r'])}</td>"
        f"<td>{_number(summary['ctr_drawn_r'])}</td></tr>"
        f"<tr><th>valid images</th><td></td><td>{_number(summary['valid_images'])}</td></tr>"
    )
    head = "<tr><th></th><th>reading, F1</th><th>drawing, agreement</th></tr>"
    return f'<table class="scores">{head}{rows}{ratio}</table>'


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _mark(is_met: bool) -> str:
    return '<span class="yes">&#10003;</span>' if is_met else '<span class="no">&#10007;</span>'
