"""The issuer's public keys.

They are kept through its outages, asked for again every five minutes, and at once for a key that isn't known
(every 30 seconds at most). Latchkey publishes a key a week before it signs with it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from threading import Lock, Thread

import jwt

from ._fetch import Unavailable, fetch

RELOAD_SECONDS = 300.0
RETRY_SECONDS = 30.0
# While there are no keys at all. Those who wait don't ask in vain, too, one after the other.
FIRST_RETRY_SECONDS = 1.0

log = logging.getLogger("latchkey_verifier")


class Keys:
    def __init__(self, issuer: str):
        self._url = f"{issuer}/.well-known/jwks.json"
        self._keys: dict[str, jwt.PyJWK] = {}
        self._lock = Lock()
        self._has_failed = False
        self._asked_at = self._due_at = float("-inf")  # by time.monotonic()

    def key_of(self, token: str) -> jwt.PyJWK:
        """The key that a token names.

        Raises a PyJWTError for a token that names none of the issuer's, and Unavailable where that can't be
        said.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        overdue = time.monotonic() - self._due_at
        # After a long idle time a key may have been withdrawn: this request waits. A busy service never does.
        if overdue > RELOAD_SECONDS:
            self._ask_anew(overdue_by=RELOAD_SECONDS)
        elif overdue > 0 and not self._lock.locked():
            in_background(self._ask_anew, 0.0)
        if kid not in self._keys:
            self._look_for(kid)
        key = self._keys.get(kid)
        if key is not None:
            return key
        if self._has_failed:
            raise Unavailable("the keys can't be fetched")
        raise jwt.InvalidTokenError("the issuer has no such key")

    def _ask_anew(self, overdue_by: float) -> None:
        with self._lock:
            if time.monotonic() - self._due_at > overdue_by:
                self._load()

    def _look_for(self, kid: str) -> None:
        # In an outage nobody waits for what will hardly come: strangers' tokens would hold every thread.
        if not self._lock.acquire(blocking=not self._has_failed):
            raise Unavailable("the keys can't be fetched")
        try:
            wait = RETRY_SECONDS if self._keys else FIRST_RETRY_SECONDS
            if kid not in self._keys and time.monotonic() - self._asked_at > wait:
                self._load()
        finally:
            self._lock.release()

    def _load(self) -> None:
        try:
            found = json.loads(fetch(self._url, "application/json"))
            self._keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(found).keys}
            self._has_failed = False
        except Exception as error:
            log.warning("no new keys: %s", error)
            self._has_failed = True
        self._asked_at = time.monotonic()
        self._due_at = self._asked_at + (RETRY_SECONDS if self._has_failed else RELOAD_SECONDS)


def in_background(task: Callable[..., None], *args: object) -> None:
    """Runs it in a thread of its own. Where none is to be had, a later request tries again."""
    try:
        Thread(target=task, args=args, daemon=True).start()
    except RuntimeError as error:
        log.warning("nothing is renewed now: %s", error)
