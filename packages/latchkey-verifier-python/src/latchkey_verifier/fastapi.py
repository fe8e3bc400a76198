"""A dependency of FastAPI: the bearer of a request, who has every scope that the route asks for.

Its page at /docs gets the button that logs in at Latchkey.
"""

import logging
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

from ._refusal import Refusal
from ._verifier import Bearer, Verifier

__all__ = ["Bearer", "Latchkey"]

log = logging.getLogger("latchkey_verifier")


class Latchkey(OAuth2PasswordBearer):
    """One for the life of the app; the options are those of Verifier.

    `scopes` are what /docs offers at the login, with a description of each.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        scopes: dict[str, str] | None = None,
        public_url: str | None = None,
        leeway: float = 30,
        typ: str = "at+jwt",
    ):
        super().__init__(tokenUrl=f"{issuer.removesuffix('/')}/token", scopes=scopes, scheme_name="Latchkey")
        self._verifier = Verifier(issuer, audience, public_url=public_url, leeway=leeway, typ=typ)

    # No coroutine: FastAPI runs it in a thread, where it may wait for keys and lists.
    def __call__(self, request: Request, security_scopes: SecurityScopes) -> Bearer:  # type: ignore[override]
        headers = request.headers
        raw_path = request.scope.get("raw_path")
        try:
            return self._verifier.verify(
                headers.get("authorization"),
                security_scopes.scopes,
                method=request.method,
                path=raw_path.decode("latin-1") if raw_path else quote(request.url.path),
                # Two of them are none (RFC 9449 section 4.3, 1).
                proof=",".join(headers.getlist("dpop")),
            )
        except Refusal as refusal:
            log.info("refused: %s (%s)", refusal.error, refusal.__cause__)
            raise HTTPException(refusal.status, refusal.error, headers=refusal.headers) from refusal
