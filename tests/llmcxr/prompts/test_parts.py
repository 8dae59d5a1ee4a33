"""The parts of a prompt as token ids, masks and features, worked by hand."""

import numpy as np
import torch

from llmcxr.prompts.parts import (
    FEATURE_ID,
    ImageCodes,
    ImageFeatures,
    TokenIds,
    find_masked,
    gather_features,
    num_tokens,
    to_token_ids,
)
from llmcxr.prompts.vocabulary import ImageVocabulary

VOCABULARY = ImageVocabulary((1, 2), 10, 100, 1, 2)  # ids 100..109 in the first cell, 110..119 in the second
CODES = ImageCodes(np.array([[3, 7]]), np.array([[False, True]]))
FEATURES = ImageFeatures(torch.tensor([[0.5], [1.5], [2.5]]))
PROMPT = [TokenIds((8,)), CODES, TokenIds(()), FEATURES, TokenIds((9, 2))]


def test_ids_masks_and_features_worked_by_hand():
    assert to_token_ids(PROMPT, VOCABULARY) == [8, 103, 117, *[FEATURE_ID] * 3, 9, 2]
    assert find_masked(PROMPT).tolist() == [False, False, True, *[False] * 5]
    assert num_tokens(PROMPT) == 8
    assert gather_features([PROMPT, [TokenIds((4,))], PROMPT])[:, 0].tolist() == [0.5, 1.5, 2.5] * 2


def test_a_prompt_may_be_empty_and_without_features():
    assert to_token_ids([], VOCABULARY) == [] and len(find_masked([])) == num_tokens([]) == 0
    assert gather_features([[TokenIds((4,)), CODES]]) is None
