"""A system is asked in batches, and says what it cannot do."""

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.predictor import ABILITIES, BATCH, Asked, System, TextResult


class Counter(System):
    """Answers with the sum of its image and its question."""

    kind = "a counter"
    abilities = frozenset({"report", "answer"})

    def __init__(self):
        self.sizes = []

    def answer(self, images, questions):
        self.sizes.append(len(images))
        return [
            TextResult(f"{image[0, 0] + int(text):g}") for image, text in zip(images, questions, strict=True)
        ]


def test_batches_give_what_the_whole_gives_and_print_nothing(capsys):
    asked = [Asked(str(number), str(number), np.full((1, 1), number)) for number in range(BATCH + 3)]
    system = Counter()
    assert [one.text for one in system.ask("answer", asked)] == [
        str(2 * number) for number in range(BATCH + 3)
    ]
    assert system.sizes == [BATCH, 3]
    assert system.ask("answer", []) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("ability", "arguments"),
    [
        ("report", ([],)),
        ("answer", ([], [])),
        ("draw", ([],)),
        ("score_sentences", ([], "")),
        ("score_image", ([], [])),
        ("encode", ([],)),
    ],
)
def test_a_system_says_what_it_cannot_do(ability, arguments):
    with pytest.raises(
        UserError, match=f"this system can do nothing; choose a system that {ABILITIES[ability]}"
    ):
        getattr(System(), ability)(*arguments)
    with pytest.raises(UserError, match=r"^a counter reads and answers only; choose a system that draws$"):
        Counter().draw(["Normal chest."])
