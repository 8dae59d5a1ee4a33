"""The embeddings of image tokens: factored ones against the same written out in full."""

import pytest
import torch

from llmcxr.model.image_table import FactoredImageTable, FreeImageTable
from llmcxr.prompts.vocabulary import ImageVocabulary

WIDTH = 4


def tables(has_cell_tokens):
    vocabulary = ImageVocabulary((2, 3), 5, 100, 1, 2, has_cell_tokens)
    factored = FactoredImageTable(vocabulary, WIDTH)
    for parameter in factored.parameters():
        torch.nn.init.normal_(parameter)
    return vocabulary, factored, FreeImageTable(vocabulary, factored.all_embeddings().detach().clone())


@pytest.mark.parametrize("has_cell_tokens", [True, False])
def test_factored_and_free_embeddings_are_the_same_tokens(has_cell_tokens):
    vocabulary, factored, free = tables(has_cell_tokens)
    tokens = torch.arange(vocabulary.num_image_tokens).reshape(1, -1)
    torch.testing.assert_close(factored(tokens), free(tokens))
    assert factored.all_embeddings().shape == (vocabulary.num_image_tokens, WIDTH)
    hidden, cells = torch.randn(7, WIDTH), torch.tensor([0, 5, 5, 2, 1, 0, 3])
    torch.testing.assert_close(factored.logits(hidden, cells), free.logits(hidden, cells))


def test_an_embedding_is_the_sum_of_code_row_and_column():
    _, factored, _ = tables(has_cell_tokens=True)
    token = torch.tensor([5 * 5 + 3])  # code 3 in the last cell, of row 1 and column 2
    expected = factored.code[3] + factored.row[1] + factored.column[2]
    torch.testing.assert_close(factored(token)[0], expected)


def test_of_a_masked_code_the_position_alone_is_left():
    _, factored, free = tables(has_cell_tokens=True)
    tokens = torch.tensor([[0, 4, 28]])  # codes 0 and 4 of the first cell, code 3 of the last
    masked = factored(tokens, torch.tensor([[True, True, True]]))[0]
    torch.testing.assert_close(masked[0], masked[1])
    torch.testing.assert_close(masked[2], factored.row[1] + factored.column[2])
    assert (free(tokens, torch.tensor([[False, True, False]]))[0].abs().sum(-1) > 0).tolist() == [
        True,
        False,
        True,
    ]


def test_neighbours_in_the_codebook_start_alike():
    _, factored, _ = tables(has_cell_tokens=True)
    codebook = torch.tensor([[0.0], [0.1], [1.0], [2.0], [3.0]])
    factored.initialise(codebook, torch.Generator().manual_seed(0))
    first = factored.code.detach().clone()
    assert (first[0] - first[1]).norm() < (first[0] - first[4]).norm()
    factored.initialise(codebook, torch.Generator().manual_seed(0))
    assert torch.equal(first, factored.code)
