"""Define one causal language model over text tokens and image tokens. Knows token ids and features only: no
text, pixels or prompts.

Legend: B batch, L sequence, D width, V text tokens, K codes, n selected tokens.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from transformers import AutoModel, Cache, LlamaConfig

from llmcxr.model.image_table import FactoredImageTable, FreeImageTable, ImageTable
from llmcxr.prompts.parts import FEATURE_ID
from llmcxr.prompts.vocabulary import ImageVocabulary

IGNORE_INDEX = -100


@dataclass
class LMConfig:
    """Chooses a small Llama trained from scratch, or `base`: the directory of a pretrained Hugging Face
    causal LM to start from.
    """

    base: str = ""
    start: str = ""  # a model directory of this package whose weights the training begins with
    expand_depth_to: int = 0  # layers to give the model of `start`, a multiple of its own; 0 = as it is
    hidden_size: int = 128
    num_layers: int = 4
    num_heads: int = 4
    intermediate_size: int = 384
    max_positions: int = 1024
    text_vocabulary_size: int = 768  # tokens of the BPE trained on the data's texts; `base` has its own
    has_cell_tokens: bool = True  # an image token says its cell as well as its code

    def __post_init__(self) -> None:
        if self.expand_depth_to and not self.start:
            raise ValueError("expand_depth_to is for the model of `start`; a new one has num_layers")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )


class UnifiedModel(nn.Module):
    """Reads and scores tokens: `decoder` embeds text tokens and runs the layers; image tokens have embeddings
    of their own.

    text_head and image_head are None where input and output embeddings are tied.
    """

    def __init__(
        self,
        decoder: nn.Module,
        vocabulary: ImageVocabulary,
        image_table: ImageTable,
        text_head: nn.Linear | None = None,
        image_head: ImageTable | None = None,
    ) -> None:
        super().__init__()
        if (text_head is None) != (image_head is None):
            raise ValueError("text and image embeddings are tied together or not at all")
        num_text = decoder.get_input_embeddings().num_embeddings
        if num_text != vocabulary.image_token_offset:
            raise ValueError(
                f"the decoder has {num_text} text embeddings, "
                f"the vocabulary {vocabulary.image_token_offset} text tokens"
            )
        self.decoder = decoder
        self.vocabulary = vocabulary
        self.image_table = image_table
        self.text_head = text_head
        self.image_head = image_head

    @classmethod
    def from_config(cls, config: LMConfig, vocabulary: ImageVocabulary, end_id: int) -> UnifiedModel:
        """Build a model with random weights."""
        llama = LlamaConfig(
            vocab_size=vocabulary.image_token_offset,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_positions,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end_id,
            pad_token_id=None,
        )
        return cls(
            AutoModel.from_config(llama, trust_remote_code=False),
            vocabulary,
            FactoredImageTable(vocabulary, config.hidden_size),
        )

    @property
    def max_positions(self) -> int:
        return self.decoder.config.max_position_embeddings

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def embed(
        self, input_ids: Tensor, is_masked: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """Embed token ids (B, L) of text or images as (B, L, D).

        Masked codes (B, L) are embedded by their position alone. `features` (n, D) stand, in order, where an
        id is FEATURE_ID.
        """
        offset = self.vocabulary.image_token_offset
        text = self.decoder.get_input_embeddings()(input_ids.clamp(0, offset - 1))  # (B, L, D)
        image = self.image_table((input_ids - offset).clamp(min=0), is_masked)  # (B, L, D)
        embeddings = torch.where((input_ids >= offset)[..., None], image, text)  # (B, L, D)
        if features is None:
            return embeddings
        return embeddings.masked_scatter((input_ids == FEATURE_ID)[..., None], features.to(embeddings))

    def hidden(
        self,
        input_ids: Tensor,
        is_masked: Tensor | None = None,
        features: Tensor | None = None,
        cache: Cache | None = None,
        **kwargs,
    ) -> Tensor:
        """Return the last hidden states (B, L, D). `cache` holds what stands before and is extended; kwargs
        go to the decoder (attention_mask, position_ids).
        """
        if cache is not None:
            kwargs |= {_cache_argument(type(self.decoder)): cache, "use_cache": True}
        embeddings = self.embed(input_ids, is_masked, features)
        return self.decoder(inputs_embeds=embeddings, **kwargs).last_hidden_state

    def all_hidden_states(
        self,
        input_ids: Tensor,
        is_masked: Tensor | None = None,
        features: Tensor | None = None,
        **kwargs,
    ) -> tuple[Tensor, ...]:
        """Return hidden states (B, L, D) before the first layer and behind each; the last are those of
        `hidden`.
        """
        embeddings = self.embed(input_ids, is_masked, features)
        return self.decoder(inputs_embeds=embeddings, output_hidden_states=True, **kwargs).hidden_states

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Score the text tokens: hidden (..., D) -> (..., V). Image tokens are not scored."""
        if self.text_head is not None:
            return self.text_head(hidden)
        return hidden @ self.decoder.get_input_embeddings().weight.T

    def image_logits(self, hidden: Tensor, cells: Tensor) -> Tensor:
        """Score codes: hidden (n, D), each predicting one of cells (n,) -> that cell's codes (n, K)."""
        return (self.image_head or self.image_table).logits(hidden, cells)

    def losses(self, hidden: Tensor, labels: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Compute the cross-entropy of responses (nats), summed over image tokens and over text tokens apart.

        hidden (B, L, D) as `hidden` gives them. labels (B, L) are aligned with the tokens, IGNORE_INDEX where
        no loss is taken (as in Hugging Face). The first token of a sequence has nothing before it and takes
        no loss. Returns the sum and the number of tokens of image_nll and of text_nll.
        """
        targets = labels[:, 1:]  # (B, L-1)
        is_image = targets >= self.vocabulary.image_token_offset  # (B, L-1) bool
        is_text = (targets != IGNORE_INDEX) & ~is_image
        hidden = hidden[:, :-1]  # (B, L-1, D)
        tokens = targets[is_image] - self.vocabulary.image_token_offset  # (n,)
        image_nll = self._image_nll(hidden[is_image], tokens, _nth_in_row(is_image)[is_image])
        text_nll = nn.functional.cross_entropy(
            self.text_logits(hidden[is_text]).float(), targets[is_text], reduction="sum"
        )
        return {"image_nll": (image_nll, is_image.sum()), "text_nll": (text_nll, is_text.sum())}

    def _image_nll(self, hidden: Tensor, tokens: Tensor, nth: Tensor) -> Tensor:
        codes = tokens % self.vocabulary.codebook_size  # (n,)
        cells = nth % self.vocabulary.num_cells  # (n,)
        return nn.functional.cross_entropy(self.image_logits(hidden, cells).float(), codes, reduction="sum")

    def all_embeddings(self) -> tuple[Tensor, Tensor | None]:
        """Return input and output embeddings (None where tied) of all tokens, text then image: (size, D)."""
        inputs = torch.cat([self.decoder.get_input_embeddings().weight, self.image_table.all_embeddings()])
        if self.text_head is None:
            return inputs, None
        return inputs, torch.cat([self.text_head.weight, self.image_head.all_embeddings()])

    @classmethod
    def from_causal_lm(cls, model: nn.Module, vocabulary: ImageVocabulary) -> UnifiedModel:
        """Split a Hugging Face causal LM whose last tokens are the image tokens (see `all_embeddings`)."""
        embeddings = model.get_input_embeddings().weight.data  # (size, D)
        if len(embeddings) != vocabulary.size:
            raise ValueError(
                f"the model has {len(embeddings)} embeddings, the vocabulary {vocabulary.size} tokens"
            )
        decoder, head = model.base_model, model.get_output_embeddings()
        is_tied = head.weight is model.get_input_embeddings().weight
        offset = vocabulary.image_token_offset
        decoder.set_input_embeddings(nn.Embedding.from_pretrained(embeddings[:offset].clone(), freeze=False))
        table = FreeImageTable(vocabulary, embeddings[offset:].clone())
        if is_tied:
            return cls(decoder, vocabulary, table)
        text_head = nn.Linear(head.in_features, offset, bias=False)
        text_head.weight = nn.Parameter(head.weight.data[:offset].clone())
        return cls(
            decoder,
            vocabulary,
            table,
            text_head,
            FreeImageTable(vocabulary, head.weight.data[offset:].clone()),
        )

    @classmethod
    def with_new_image_tokens(cls, model: nn.Module, vocabulary: ImageVocabulary) -> UnifiedModel:
        """Give a pretrained Hugging Face causal LM image tokens, at random and of its embeddings' scale
        (LLM-CXR starts them at random too).
        """
        model.resize_token_embeddings(vocabulary.image_token_offset)
        head = model.get_output_embeddings()
        is_tied = head.weight is model.get_input_embeddings().weight
        width = head.in_features
        tables = [FactoredImageTable(vocabulary, width) for _ in range(1 if is_tied else 2)]
        for table, text in zip(tables, (model.get_input_embeddings().weight, head.weight), strict=False):
            for parameter in table.parameters():
                parameter.data.mul_(text.data.float().std() / 0.02)
        if is_tied:
            return cls(model.base_model, vocabulary, tables[0])
        return cls(model.base_model, vocabulary, tables[0], head, tables[1])


@lru_cache
def _cache_argument(decoder: type[nn.Module]) -> str:
    """Return the name of a decoder's KV cache: transformers renamed it and warns of the older name."""
    return "cache" if "cache" in inspect.signature(decoder.forward).parameters else "past_key_values"


def _nth_in_row(selected: Tensor) -> Tensor:
    """Count, for each selected token (B, L), those selected before it in its row."""
    return selected.cumsum(1) - 1
