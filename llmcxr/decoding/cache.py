"""Keep the keys and values of tokens read so far in memory that is sized once and written in place.

transformers' own cache copies all of them for every new token, which costs more the larger the batch. Knows
no tokens.

Legend: B batch, H heads, T tokens in the cache, L new tokens, d width of a head.
"""

from __future__ import annotations

from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


def build_cache(config: PreTrainedConfig, length: int) -> Cache:
    """Make the KV cache of a decoder with room for `length` tokens a row.

    Layers that attend to other things than all tokens or a window of them keep transformers' own.
    """
    cache = DynamicCache(config=config)
    cache.layers = [_in_place(layer, length) for layer in cache.layers]
    return cache


def _in_place(layer: object, length: int) -> object:
    if type(layer) is DynamicLayer:
        return InPlaceLayer(length)
    if type(layer) is DynamicSlidingWindowLayer:
        return InPlaceSlidingLayer(length, layer.sliding_window)
    return layer


class _Memory:
    """Holds keys and values (B, H, length, d), of which the first `filled` tokens are written."""

    def __init__(self, length: int) -> None:
        self.length, self.filled = length, 0
        self.states: tuple[Tensor, Tensor] | None = None

    def append(self, keys: Tensor, values: Tensor) -> None:
        """Write keys and values (B, H, L, d) behind those that are there."""
        if self.states is None:
            shapes = [(*new.shape[:2], self.length, new.shape[3]) for new in (keys, values)]
            self.states = (keys.new_empty(shapes[0]), values.new_empty(shapes[1]))
        start, self.filled = self.filled, self.filled + keys.shape[2]
        for whole, new in zip(self.states, (keys, values), strict=True):
            whole[:, :, start : self.filled] = new

    def views(self, start: int) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, H, T, d) from token `start` on, without copying them."""
        keys, values = self.states
        return keys[:, :, start : self.filled], values[:, :, start : self.filled]


class InPlaceLayer(DynamicLayer):
    """Gives a layer all keys and values before a token and its own."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._memory = _Memory(length)

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Write new keys and values (B, H, L, d); return all (B, H, T, d)."""
        self._memory.append(key_states, value_states)
        return self._memory.views(0)

    def get_seq_length(self) -> int:
        return self._memory.filled


class InPlaceSlidingLayer(DynamicSlidingWindowLayer):
    """Gives a layer the keys and values of `sliding_window` tokens: a token's own and those before it."""

    def __init__(self, length: int, sliding_window: int) -> None:
        super().__init__(sliding_window=sliding_window)
        self._memory = _Memory(length)

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Write new keys and values (B, H, L, d); return those that a new token attends to (B, H, T, d)."""
        before = self._memory.filled
        self._memory.append(key_states, value_states)
        self.cumulative_length = self._memory.filled  # get_mask_sizes counts by it
        return self._memory.views(max(before - self.sliding_window + 1, 0))
