import io

import pytest
from rich.console import Console

from vqgan.bar import open_bar


def test_where_stderr_is_no_terminal_nothing_is_shown(capsys: pytest.CaptureFixture) -> None:
    with open_bar("toy", 10) as update:
        update(completed=3, figures="loss 0.5")
        update(advance=1)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_count_and_the_newest_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr("rich.console.Console", lambda stderr: terminal)
    with open_bar("toy", 10) as update:
        update(completed=3, figures="loss 0.5")
        update(advance=1)
    shown = screen.getvalue()
    assert "toy" in shown and "4/10" in shown and "loss 0.5" in shown
    with open_bar("toy", 10, is_shown=False) as update:
        update(completed=3)
    assert screen.getvalue() == shown
