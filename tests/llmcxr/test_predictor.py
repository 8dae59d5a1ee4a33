"""Asking a predictor a piece at a time."""

from llmcxr.predictor import PIECE, ask_in_pieces


def test_pieces_give_what_the_whole_gives_and_print_nothing(capsys):
    sizes = []

    def ask(left, right):
        sizes.append(len(left))
        return [a + b for a, b in zip(left, right, strict=True)]

    numbers = list(range(PIECE + 3))
    assert ask_in_pieces("sums", ask, numbers, numbers) == [2 * number for number in numbers]
    assert sizes == [PIECE, 3]
    assert ask_in_pieces("sums", ask, [], []) == []
    assert capsys.readouterr() == ("", "")
