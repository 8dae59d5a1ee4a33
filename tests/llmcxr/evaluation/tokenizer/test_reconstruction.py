import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import Rejections
from llmcxr.evaluation.tokenizer.reconstruction import reconstruct
from tests.llmcxr.evaluation.fakes import NumberedPhantoms, numbered
from tests.llmcxr.evaluation.tokenizer.tokenizers import Passing


class OneBroken(NumberedPhantoms):
    def read(self, index, size=None):
        if index == 1:
            raise UserError("one.png: cut short")
        return super().read(index, size)


def test_images_come_back_in_order_and_in_batches():
    batches = list(reconstruct(Passing(16, gain=0.5), NumberedPhantoms(5), [4, 2, 0], batch_size=2))
    assert [batch.indices for batch in batches] == [[4, 2], [0]]
    assert (batches[0].images[1] == numbered(2)).all()
    assert np.allclose(batches[0].reconstructions, batches[0].images / 2)
    assert batches[1].codes.shape == (1, 2, 2)


def test_a_bad_image_is_left_out_where_rejections_are_kept_and_raised_elsewhere():
    rejections = Rejections()
    (batch,) = reconstruct(Passing(16), OneBroken(3), range(3), rejections=rejections)
    assert batch.indices == [0, 2] and rejections.entries == [("study 1", "one.png: cut short")]
    with pytest.raises(UserError, match="cut short"):
        list(reconstruct(Passing(16), OneBroken(3), range(3)))
