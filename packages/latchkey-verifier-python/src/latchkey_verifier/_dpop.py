"""Proofs of possession (RFC 9449).

The caller shows, for this one request, that it holds the key that its token is bound to.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from threading import Lock
from urllib.parse import urlsplit

import jwt
from jwt.algorithms import OKPAlgorithm

from ._refusal import ALGORITHMS

MAX_LENGTH = 4096
# How far the `iat` of a proof may be from now.
AGE_SECONDS = 60.0
# How many proofs are remembered. Those beyond are refused, not taken unseen.
MOST_SEEN = 100_000
# The members of a key that its thumbprint is made of (RFC 7638 section 3.2, RFC 8037 section 2).
THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}

_signatures = jwt.PyJWS()
_signatures.register_algorithm("Ed25519", OKPAlgorithm())


class Proofs:
    """What it has seen stands in this process alone: a replay to another one isn't noticed."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._lock = Lock()

    def check(self, proof: str | None, *, token: str, jkt: str, method: str, url: str) -> None:
        """Raises unless the proof is one for this request (section 4.3), sent for the first time."""
        if not proof or len(proof) > MAX_LENGTH:
            raise ValueError("no proof")
        header = jwt.get_unverified_header(proof)
        # The key comes first: Latchkey has looked at the one of the token, and at no other.
        if header.get("typ") != "dpop+jwt" or not hmac.compare_digest(_thumbprint(header["jwk"]), jkt):
            raise ValueError("the proof is by another key")
        claims = _verified(proof, header)
        if claims["ath"] != _base64url(sha256(token.encode()).digest()):
            raise ValueError("the proof is for another token")
        if claims["htm"] != method or _plain(claims["htu"]) != _plain(url):
            raise ValueError("the proof is for another request")
        now = time.time()
        if not abs(now - claims["iat"]) <= AGE_SECONDS:
            raise ValueError("the proof is of another time")
        seen_as = f"{jkt} {sha256(claims['jti'].encode()).hexdigest()}"
        self._note_once(seen_as, claims["iat"] + AGE_SECONDS, now)

    def _note_once(self, name: str, until: float, now: float) -> None:
        with self._lock:
            # They were put in about in the order in which they end.
            for old in list(self._ended(now)):
                del self._seen[old]
            if name in self._seen:
                raise ValueError("the proof was used before")
            if len(self._seen) >= MOST_SEEN:
                raise ValueError("too many proofs in a minute")
            self._seen[name] = until

    def _ended(self, now: float):
        for name, until in self._seen.items():
            if until >= now:
                return
            yield name


def _verified(proof: str, header: dict) -> dict:
    # RFC 9864 has another name for EdDSA with this curve, which PyJWT doesn't know.
    key = jwt.PyJWK(header["jwk"], algorithm="EdDSA" if header["alg"] == "Ed25519" else header["alg"])
    decoded = _signatures.decode_complete(proof, key.key, algorithms=list(ALGORITHMS))
    return json.loads(decoded["payload"])


def _thumbprint(jwk: dict) -> str:
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return _base64url(sha256(text.encode()).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _plain(url: str) -> tuple[str, str | None, int | None, str]:
    """A URL without query and fragment, as the standard compares them (RFC 9449 section 4.3, 9)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return (parts.scheme, parts.hostname, port, parts.path or "/")
