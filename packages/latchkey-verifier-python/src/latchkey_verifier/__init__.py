"""Latchkey's access tokens, verified offline.

`Verifier` is the whole of it; `latchkey_verifier.fastapi` makes a dependency and `latchkey_verifier.flask` a
decorator from it. Keys and status lists are fetched, kept, and renewed by themselves.
"""

from ._refusal import Refusal
from ._verifier import Bearer, Verifier

__all__ = ["Bearer", "Refusal", "Verifier"]
