import io

import numpy as np
from PIL import Image

from llmcxr.pages.document import CROSS, TICK, Card, Picture, Table
from llmcxr.pages.sheets import GREEN, RED, Rows, draw_cards, draw_rows


def open_png(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as sheet:
        return np.asarray(sheet.convert("RGB"))


def card(*marks: str) -> Card:
    table = Table(["", "requested", "measured"], [[mark, "edema", "edema"] for mark in marks])
    return Card(Picture(np.full((8, 8), 0.5), "grey"), "Edema.", [("Report", "Edema. " * 99)], table)


def test_cards_stand_in_two_columns_and_marks_have_their_colour():
    one, three = (
        open_png(draw_cards("t", "s", [card(TICK)])),
        open_png(draw_cards("t", "s", [card(CROSS)] * 3)),
    )
    assert one.shape[1] == three.shape[1] and one.shape[0] < three.shape[0]

    def has(sheet: np.ndarray, colour: tuple[int, int, int]) -> bool:
        return bool((sheet == colour).all(-1).any())

    assert has(one, GREEN) and not has(one, RED)
    assert has(three, RED) and not has(three, GREEN)


def test_rows_stand_under_one_another_enlarged_by_a_whole_number():
    black, white = np.zeros((100, 100)), np.ones((100, 100))
    sheet = open_png(draw_rows([Rows("a", [[black], [white]], ["caption"], [[(10, 10, 20, 20)]])], 2))
    assert sheet.shape[1] == 2 * (300 + 8) + 8  # twice 100 px, thrice as large
    assert (sheet[34 + 150, 8 + 150] == 0).all() and (sheet[34 + 308 + 150, 8 + 150] == 255).all()
    assert tuple(sheet[34 + 30, 8 + 45]) == (255, 190, 0)  # the upper edge of the box
