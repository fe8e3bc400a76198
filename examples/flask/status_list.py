"""Whether Latchkey has revoked a token, without asking it about each one (IETF Token Status List).

A list has a bit for each of a million tokens. It is fetched when the copy is older than its `ttl`, 10 seconds
by default.
"""

import logging
import time
import zlib
from threading import Lock
from typing import NamedTuple

import requests
from joserfc import jwt
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

MOST_BYTES = 2**17
# By how much the clocks of two machines may differ.
LEEWAY_SECONDS = 30
# joserfc's own limit is too small for a list with many revoked tokens: compression doesn't make it smaller.
SIGNATURES = JWSRegistry(algorithms=["ES256"])
SIGNATURES.max_payload_length = 2 * MOST_BYTES

log = logging.getLogger(__name__)


class StatusListUnavailable(Exception):
    """The list can't be had, which says nothing about the token."""


class StatusList(NamedTuple):
    bits: bytes
    fresh_until: float  # by time.monotonic()
    exp: int  # seconds since the epoch


class StatusLists:
    """The lists that are known; `get_keys` gives the issuer's key set."""

    def __init__(self, issuer, get_keys):
        self.issuer, self.get_keys = issuer, get_keys
        self.lists = {}
        self.lock = Lock()

    def is_revoked(self, token_claims):
        """Whether the token of these claims was revoked; raises StatusListUnavailable."""
        reference = token_claims.get("status", {}).get("status_list")
        if reference is None:
            return False
        index, uri = reference["idx"], reference["uri"]
        if not uri.startswith(f"{self.issuer}/"):
            raise StatusListUnavailable("a status list of somebody else")
        bits = self._list_at(uri).bits
        if index >= 8 * len(bits):
            raise StatusListUnavailable(uri)
        return bool(bits[index >> 3] >> (index & 7) & 1)

    def _list_at(self, uri):
        with self.lock:  # many requests may want the same list: one fetches it
            known = self.lists.get(uri)
            if known is None or time.monotonic() >= known.fresh_until:
                known = self._renewed(uri, known)
                self.lists = {key: old for key, old in self.lists.items() if time.time() < old.exp}
                self.lists[uri] = known
            return known

    def _renewed(self, uri, known):
        """A new list, else the known one until its `exp`, else one without bits."""
        try:
            return self._load(uri)
        except Exception as error:
            log.warning("no new status list: %s", error)
            if known is None or time.time() >= known.exp:
                known = StatusList(b"", 0, 0)
            # Good for a second, so that those who wait don't ask in vain, too, one after the other.
            return known._replace(fresh_until=time.monotonic() + 1)

    def _load(self, uri):
        # Whatever the list says was so before it was asked for.
        asked_at = time.monotonic()
        accept = {"Accept": "application/statuslist+jwt"}
        answer = requests.get(uri, headers=accept, timeout=5, allow_redirects=False)
        if answer.status_code != 200:
            raise ValueError(f"the status list was answered {answer.status_code}")
        claims = self._verified_claims(answer.content, uri)
        compressed = urlsafe_b64decode(claims["status_list"]["lst"].encode())
        bits = zlib.decompressobj().decompress(compressed, MOST_BYTES)
        return StatusList(bits, asked_at + claims.get("ttl", 10), claims["exp"])

    def _verified_claims(self, text, uri):
        token = jwt.decode(text, self.get_keys(), registry=SIGNATURES)
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            sub={"essential": True, "value": uri},
            iat={"essential": True},
            exp={"essential": True},
        ).validate(token.claims)
        if token.header.get("typ") != "statuslist+jwt" or token.claims["status_list"]["bits"] != 1:
            raise ValueError("not a status list of one bit per token")
        return token.claims
