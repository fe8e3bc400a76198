"""What a request is refused with.

A verdict on its token has a challenge (RFC 6750 section 3, RFC 9449 section 7.1). A fault has none: it says
nothing about the token.
"""

from __future__ import annotations

from collections.abc import Sequence

ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")

DESCRIPTIONS = {
    "invalid_token": "The access token is not valid here",
    "invalid_dpop_proof": "The proof is not valid for this request",
}


class Refusal(Exception):
    """A refusal: `error` is fit for the answer's body, `__cause__` for the log alone."""

    def __init__(self, status: int, error: str, headers: dict[str, str]):
        super().__init__(error)
        self.status, self.error, self.headers = status, error, headers


def no_token(schemes: Sequence[str], scopes: Sequence[str]) -> Refusal:
    """No token was presented: 401 without an error code (RFC 6750 section 3.1)."""
    attributes = {"scope": " ".join(scopes)} if scopes else {}
    challenge = ", ".join(_challenge(scheme, attributes) for scheme in schemes)
    return Refusal(401, "unauthorized", {"WWW-Authenticate": challenge})


def not_valid(scheme: str, error: str = "invalid_token") -> Refusal:
    """The token, or its proof, isn't good here: 401."""
    challenge = _challenge(scheme, {"error": error, "error_description": DESCRIPTIONS[error]})
    return Refusal(401, error, {"WWW-Authenticate": challenge})


def insufficient_scope(scheme: str, scopes: Sequence[str]) -> Refusal:
    """The token is good and lacks a scope: 403."""
    error = "insufficient_scope"
    challenge = _challenge(scheme, {"error": error, "scope": " ".join(scopes)})
    return Refusal(403, error, {"WWW-Authenticate": challenge})


def unavailable() -> Refusal:
    """Keys or a status list can't be had: 503. The client must not throw its token away."""
    return Refusal(503, "temporarily_unavailable", {"Retry-After": "5"})


def _challenge(scheme: str, attributes: dict[str, str]) -> str:
    if scheme == "DPoP":
        attributes = {**attributes, "algs": " ".join(ALGORITHMS)}
    listed = ", ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"{scheme} {listed}".strip()
