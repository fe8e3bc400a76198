"""A decorator of Flask's views: they run for a bearer who has every one of the scopes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from flask import current_app, g, jsonify, request

from ._refusal import Refusal
from ._verifier import Bearer, Verifier

__all__ = ["Bearer", "Latchkey"]

log = logging.getLogger("latchkey_verifier")


class Latchkey:
    """One for the life of the app; the options are those of Verifier."""

    def __init__(self, issuer: str, audience: str, **options: Any):
        self._verifier = Verifier(issuer, audience, **options)

    def needs(self, *scopes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates a view; stands below `@app.get(…)`."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def guarded(*args: Any, **named: Any) -> Any:
                try:
                    g.latchkey_bearer = self._verified(scopes)
                except Refusal as refusal:
                    log.info("refused: %s (%s)", refusal.error, refusal.__cause__)
                    return jsonify(error=refusal.error), refusal.status, refusal.headers
                return current_app.ensure_sync(view)(*args, **named)

            return guarded

        return decorate

    @property
    def bearer(self) -> Bearer:
        """Whose request this is. Raises in a view that has no guard."""
        if "latchkey_bearer" not in g:
            raise RuntimeError("this view has no guard: decorate it with needs(…)")
        return g.latchkey_bearer

    def _verified(self, scopes: tuple[str, ...]) -> Bearer:
        # As the caller sent it, where the server says so: gunicorn and Werkzeug, uWSGI.
        raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
        return self._verifier.verify(
            request.headers.get("Authorization"),
            scopes,
            method=request.method,
            path=raw or quote(f"{request.script_root}{request.path}"),
            # Two of them are none (RFC 9449 section 4.3, 1).
            proof=",".join(request.headers.getlist("DPoP")),
        )
