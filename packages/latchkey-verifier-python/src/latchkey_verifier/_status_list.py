"""Whether Latchkey has revoked a token, without asking it about each one (IETF Token Status List).

A list has a bit for each of a million tokens. It is fetched when the copy is older than its `ttl`, 10 seconds
by default.
"""

from __future__ import annotations

import logging
import time
import zlib
from base64 import urlsafe_b64decode
from threading import Lock

import jwt

from ._fetch import Unavailable, fetch
from ._keys import Keys, in_background

MOST_BYTES = 2**17
RETRY_SECONDS = 1.0

log = logging.getLogger("latchkey_verifier")


class StatusLists:
    """The lists that are known. Those that are over are forgotten."""

    def __init__(self, issuer: str, base: str, keys: Keys, leeway: float):
        self._issuer, self._base, self._keys, self._leeway = issuer, base, keys, leeway
        self._lists: dict[str, _StatusList] = {}
        self._lock = Lock()

    def is_revoked(self, claims: dict) -> bool:
        """Whether the token of these claims was revoked; raises Unavailable."""
        reference = claims.get("status", {}).get("status_list")
        if reference is None:
            return False
        index, uri = reference["idx"], reference["uri"]
        if not uri.startswith(f"{self._base}/"):
            raise Unavailable("the token names a status list of another issuer")
        bits = self._list_at(uri).current_bits()
        if index >= 8 * len(bits):
            raise Unavailable("the status list ends before the token")
        return bool(bits[index >> 3] >> (index & 7) & 1)

    def _list_at(self, uri: str) -> _StatusList:
        with self._lock:  # two at once would make the same list twice
            known = self._lists.get(uri)
            if known is None:
                self._lists = {name: each for name, each in self._lists.items() if not each.is_over()}
                known = self._lists[uri] = _StatusList(uri, self._issuer, self._keys, self._leeway)
            return known


class _StatusList:
    """One list. When it can't be fetched anew, the old one is used until its `exp`."""

    def __init__(self, uri: str, issuer: str, keys: Keys, leeway: float):
        self._uri, self._issuer, self._keys, self._leeway = uri, issuer, keys, leeway
        self._lock = Lock()
        self._bits, self._exp = b"", 0.0  # seconds since the epoch
        self._fresh_until = float("-inf")  # by time.monotonic()
        self._has_failed = False

    def is_over(self) -> bool:
        return self._exp <= time.time() and not self._lock.locked()

    def current_bits(self) -> bytes:
        # In an outage nobody waits for what will hardly come, as long as there is a list that is good.
        if self._has_failed and time.time() < self._exp:
            if time.monotonic() >= self._fresh_until and not self._lock.locked():
                in_background(self._renew_if_old)
            return self._bits
        self._renew_if_old()
        if time.time() >= self._exp:
            raise Unavailable(f"no status list that is good now: {self._uri}")
        return self._bits

    def _renew_if_old(self) -> None:
        with self._lock:  # many requests may want the list: one fetches it
            if time.monotonic() >= self._fresh_until:
                self._renew()

    def _renew(self) -> None:
        asked_at = time.monotonic()  # whatever the list says was so before it was asked for
        try:
            claims = self._load()
            self._bits, self._exp = _inflate(claims["status_list"]["lst"]), claims["exp"]
            self._fresh_until = asked_at + claims.get("ttl", 10)
            self._has_failed = False
        except Exception as error:
            log.warning("no new status list: %s", error)
            self._has_failed = True
            # Good for a second, so that those who wait don't ask in vain, too, one after the other.
            self._fresh_until = time.monotonic() + RETRY_SECONDS

    def _load(self) -> dict:
        text = fetch(self._uri, "application/statuslist+jwt").decode()
        key = self._keys.key_of(text)
        decoded = jwt.decode_complete(
            text,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._issuer,
            subject=self._uri,
            leeway=self._leeway,
            options={"require": ["iss", "sub", "iat", "exp"]},
        )
        claims = decoded["payload"]
        if decoded["header"].get("typ") != "statuslist+jwt" or claims["status_list"]["bits"] != 1:
            raise jwt.InvalidTokenError("not a status list of one bit per token")
        return claims


def _inflate(text: str) -> bytes:
    bits = zlib.decompressobj().decompress(urlsafe_b64decode(text + "=="), MOST_BYTES + 1)
    if len(bits) > MOST_BYTES:
        raise ValueError("more than a status list has")
    return bits
