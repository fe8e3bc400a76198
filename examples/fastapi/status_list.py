"""Whether Latchkey has revoked a token, without asking it about each one (IETF Token Status List).

A list has a bit for each of a million tokens. It is fetched when the copy is older than its `ttl`, 10 seconds
by default.
"""

import logging
import time
import urllib.request
import zlib
from base64 import urlsafe_b64decode
from functools import lru_cache
from threading import Lock

import jwt

MOST_BYTES = 2**17
# By how much the clocks of two machines may differ.
LEEWAY_SECONDS = 30

log = logging.getLogger(__name__)


class StatusListUnavailable(Exception):
    """The list can't be had, which says nothing about the token."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        """Follows none, which makes it an HTTPError."""


opener = urllib.request.build_opener(NoRedirects)
opener.addheaders = [("Accept", "application/statuslist+jwt")]


class StatusLists:
    def __init__(self, issuer: str, jwks: jwt.PyJWKClient):
        self.issuer, self.lock = issuer, Lock()
        self.list_at = lru_cache(maxsize=100)(lambda uri: StatusList(uri, issuer, jwks))  # 12 MiB at most

    def is_revoked(self, token_claims: dict) -> bool:
        """Whether the token of these claims was revoked; raises StatusListUnavailable."""
        reference = token_claims.get("status", {}).get("status_list")
        if reference is None:
            return False
        index, uri = reference["idx"], reference["uri"]
        if not uri.startswith(f"{self.issuer}/"):
            raise StatusListUnavailable("a status list of somebody else")
        with self.lock:  # two at once would make the same list twice
            status_list = self.list_at(uri)
        bits = status_list.current_bits()
        if index >= 8 * len(bits):
            raise StatusListUnavailable("the status list is too short")
        return bool(bits[index >> 3] >> (index & 7) & 1)


class StatusList:
    """One list. When it can't be fetched anew, the old one is used until its `exp`."""

    def __init__(self, uri: str, issuer: str, jwks: jwt.PyJWKClient):
        self.uri, self.issuer, self.jwks, self.lock = uri, issuer, jwks, Lock()
        self.bits, self.fresh_until, self.exp = b"", 0.0, 0  # by time.monotonic(); seconds since the epoch

    def current_bits(self) -> bytes:
        with self.lock:  # many requests may want the list: one fetches it
            if time.monotonic() >= self.fresh_until:
                self._renew()
            if time.time() >= self.exp:
                raise StatusListUnavailable(self.uri)
            return self.bits

    def _renew(self):
        asked_at = time.monotonic()  # whatever the list says was so before it was asked for
        try:
            claims = self._fetch()
            self.bits, self.exp = inflate(claims["status_list"]["lst"]), claims["exp"]
            self.fresh_until = asked_at + claims.get("ttl", 10)
        except Exception as error:
            log.warning("no new status list: %s", error)
            # Counts for a second, so that those who wait don't ask in vain, too, one after the other.
            self.fresh_until = time.monotonic() + 1

    def _fetch(self) -> dict:
        with opener.open(self.uri, timeout=5) as answer:
            text = answer.read(2 * MOST_BYTES).decode()  # base64 makes it longer twice
        decoded = jwt.decode_complete(
            text,
            self.jwks.get_signing_key_from_jwt(text),
            algorithms=["ES256"],
            issuer=self.issuer,
            subject=self.uri,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "iat", "exp"]},
        )
        claims = decoded["payload"]
        if decoded["header"].get("typ") != "statuslist+jwt" or claims["status_list"]["bits"] != 1:
            raise jwt.InvalidTokenError("not a status list of one bit per token")
        return claims


def inflate(text: str) -> bytes:
    bits = zlib.decompressobj().decompress(urlsafe_b64decode(text + "=="), MOST_BYTES + 1)
    if len(bits) > MOST_BYTES:
        raise ValueError("more than a status list has")
    return bits
