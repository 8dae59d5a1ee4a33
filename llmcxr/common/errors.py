"""Give the one exception for a user's mistake, which the image tokenizer raises too."""

from vqgan.errors import UserError

__all__ = ["UserError"]
