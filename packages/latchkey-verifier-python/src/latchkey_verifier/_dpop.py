"""Proofs of possession (RFC 9449).

The caller shows, for this one request, that it holds the key that its token is bound to.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from urllib.parse import urlsplit

import jwt
from jwt.algorithms import OKPAlgorithm

from ._fetch import Unavailable
from ._refusal import ALGORITHMS

MAX_LENGTH = 4096
# How far the `iat` of a proof may be from now.
AGE_SECONDS = 60.0
# How many proofs are remembered. For those beyond there is a fault: they aren't taken unseen.
MOST_SEEN = 200_000
# How many of one key's: no client takes the room of all others.
MOST_OF_KEY = MOST_SEEN // 4
# The members of a key that its thumbprint is made of (RFC 7638 section 3.2, RFC 8037 section 2).
THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}

_signatures = jwt.PyJWS()
_signatures.register_algorithm("Ed25519", OKPAlgorithm())


class Proofs:
    """What it has seen stands in this process alone: a replay to another one isn't noticed."""

    def __init__(self) -> None:
        # By the minute in which they end, which are three at most, and by key.
        self._minutes: dict[int, dict[str, set[str]]] = {}
        self._sizes: dict[int, int] = {}
        self._lock = Lock()

    def check(self, proof: str | None, *, token: str, jkt: str, method: str, url: str) -> Callable[[], None]:
        """Raises unless the proof is one for this request (section 4.3).

        Gives what uses the proof up, for the end of all other checks: that raises if it was used before, and
        Unavailable where so many came in a minute that this can't be said.
        """
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
        name, until = sha256(claims["jti"].encode()).hexdigest(), claims["iat"] + AGE_SECONDS
        return lambda: self._note_once(jkt, name, until)

    def _note_once(self, jkt: str, name: str, until: float) -> None:
        with self._lock:
            for minute in [each for each in self._minutes if each < time.time() // 60]:
                del self._minutes[minute], self._sizes[minute]
            of_key = [names[jkt] for names in self._minutes.values() if jkt in names]
            if any(name in names for names in of_key):
                raise ValueError("the proof was used before")
            if sum(self._sizes.values()) >= MOST_SEEN or sum(map(len, of_key)) >= MOST_OF_KEY:
                raise Unavailable("too many proofs in a minute")
            end = int(until // 60)
            self._minutes.setdefault(end, {}).setdefault(jkt, set()).add(name)
            self._sizes[end] = self._sizes.get(end, 0) + 1


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
