"""A model of a few thousand parameters with everything a real one has, for the tests of several rooms."""

import torch

from llmcxr.model.directory import Bundle
from llmcxr.model.unified import LMConfig, UnifiedModel
from llmcxr.prompts import REPORT, SUMMARY, TEMPLATES, PromptTokenizer
from llmcxr.prompts.vocabulary import add_image_tokens, train_text_tokenizer
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig

TEXTS = ["Large right pleural effusion with cardiomegaly.", "No pneumothorax. Cardiothoracic ratio 0.57."]


def tiny_bundle(has_cell_tokens: bool = True, template: str = "compact", seed: int = 0) -> Bundle:
    torch.manual_seed(seed)
    image_tokenizer = VQGAN(
        VQGANConfig(
            image_size=32,
            cell_height=8,
            cell_width=16,
            cxr=CXRConfig(stem_channels=8, grid_channels=8),
            fsq=FSQConfig((4, 3)),
        )
    ).eval()
    form = TEMPLATES[template]
    texts = [*TEXTS, *REPORT.instructions, *SUMMARY.instructions]
    text_tokenizer = train_text_tokenizer(texts, 300, form.control_words, form.end)
    config = image_tokenizer.config
    tokenizer, vocabulary = add_image_tokens(
        text_tokenizer, config.grid, config.codebook_size, has_cell_tokens
    )
    prompt_tokenizer = PromptTokenizer(tokenizer, vocabulary, form)
    lm = LMConfig(hidden_size=16, num_layers=2, num_heads=2, intermediate_size=32, max_positions=256)
    model = UnifiedModel.from_config(lm, vocabulary, prompt_tokenizer.end_ids[-1])
    for parameter in model.parameters():  # livelier than the usual start, so that choices differ
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return Bundle(model.eval(), prompt_tokenizer, image_tokenizer, {"dataset": "phantom:n=1"})
