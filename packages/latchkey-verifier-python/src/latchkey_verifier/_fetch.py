"""Fetches a small file of the issuer's: within five seconds, and from no other place than was asked."""

from __future__ import annotations

import time
import urllib.request

FETCH_SECONDS = 5.0
# A status list of 2^20 bits; base64 makes it longer twice.
MOST_BYTES = 2**18


class Unavailable(Exception):
    """Keys or a status list can't be had, which says nothing about the token."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args, **_named):
        """Follows none, which makes it an HTTPError."""


_opener = urllib.request.build_opener(_NoRedirects)


def fetch(url: str, accept: str) -> bytes:
    """Gives the body. Raises whatever went wrong."""
    deadline = time.monotonic() + FETCH_SECONDS
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "latchkey-verifier"})
    body = b""
    with _opener.open(request, timeout=FETCH_SECONDS) as answer:
        while part := answer.read1(2**16):
            body += part
            if len(body) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes at {url}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} took more than {FETCH_SECONDS} s")
    return body
