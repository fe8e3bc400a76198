"""Whether Latchkey has revoked a token, without asking it about each one (IETF Token Status List).

A list has a bit for each of a million tokens. It is fetched when the copy is older than its `ttl`, 10 seconds by default.
"""

import time
import urllib.request
import zlib
from base64 import urlsafe_b64decode
from threading import Lock
from typing import NamedTuple

import jwt

MOST_BYTES = 2**17


class StatusListUnavailable(Exception):
    """The list can't be had, which says nothing about the token."""


class StatusList(NamedTuple):
    bits: bytes
    fresh_until: float  # by time.monotonic()
    exp: int  # seconds since the epoch


class StatusLists:
    def __init__(self, issuer: str, jwks: jwt.PyJWKClient):
        self.issuer, self.jwks = issuer, jwks
        self.lists: dict[str, StatusList] = {}
        self.lock = Lock()

    def is_revoked(self, token_claims: dict) -> bool:
        """Whether the token of these claims was revoked; raises StatusListUnavailable. A list that can't be fetched anew is used until its `exp`."""
        reference = token_claims.get("status", {}).get("status_list")
        if reference is None:
            return False
        index, uri = reference["idx"], reference["uri"]
        if not uri.startswith(f"{self.issuer}/"):
            raise StatusListUnavailable("a status list of somebody else")
        bits = self._list_at(uri).bits
        if index >= 8 * len(bits):
            raise StatusListUnavailable("the status list is too short")
        return bool(bits[index >> 3] >> (index & 7) & 1)

    def _list_at(self, uri: str) -> StatusList:
        with self.lock:  # many requests may want the same list: one fetches it
            known = self.lists.get(uri)
            if known and time.monotonic() < known.fresh_until:
                return known
            try:
                self.lists[uri] = self._load(uri)
            except Exception as error:
                if known and time.time() < known.exp:
                    return known
                raise StatusListUnavailable(uri) from error
            self.lists = {key: old for key, old in self.lists.items() if time.time() < old.exp}
            return self.lists[uri]

    def _load(self, uri: str) -> StatusList:
        asked_at = time.monotonic()
        request = urllib.request.Request(uri, headers={"Accept": "application/statuslist+jwt"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
        decoded = jwt.decode_complete(
            text,
            self.jwks.get_signing_key_from_jwt(text),
            algorithms=["ES256"],
            issuer=self.issuer,
            subject=uri,
            options={"require": ["iss", "sub", "iat", "exp"]},
        )
        claims = decoded["payload"]
        if decoded["header"].get("typ") != "statuslist+jwt" or claims["status_list"]["bits"] != 1:
            raise jwt.InvalidTokenError("not a status list of one bit per token")
        compressed = urlsafe_b64decode(claims["status_list"]["lst"] + "==")
        bits = zlib.decompressobj().decompress(compressed, MOST_BYTES)
        return StatusList(bits, asked_at + claims.get("ttl", 10), claims["exp"])
