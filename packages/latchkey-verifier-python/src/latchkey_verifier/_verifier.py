"""The verifier: whose token is this, is it for us, was it revoked, may it do this (RFC 9068 section 4)?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt

from ._dpop import Proofs
from ._fetch import Unavailable
from ._keys import Keys
from ._refusal import ALGORITHMS, Refusal, insufficient_scope, no_token, not_valid, unavailable
from ._status_list import StatusLists


@dataclass(frozen=True)
class Bearer:
    """Whose request this is. A machine's `sub` is its `client_id`."""

    sub: str
    client_id: str | None
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    # All that the token says; see Latchkey's docs/tokens.md.
    claims: Mapping[str, Any]


class Verifier:
    """One for the life of the process: it keeps keys and status lists. It fetches none yet.

    `issuer` is Latchkey's, letter by letter; `audience` what this API is called in `aud`. `public_url` says
    how callers reach this API, such as https://api.example.com: with it, tokens that are bound to a key
    (DPoP) are taken along with their proofs; without it, they are refused. Clocks may differ by `leeway`
    seconds. `typ` is "JWT" where Latchkey's configuration says so for this audience.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        public_url: str | None = None,
        leeway: float = 30,
        typ: str = "at+jwt",
    ):
        base = issuer.removesuffix("/")
        self._issuer, self._audience = issuer, audience
        self._own_url = (public_url or "").removesuffix("/")
        self._leeway, self._types = leeway, (typ.lower(), f"application/{typ.lower()}")
        self._schemes = ["Bearer"] if public_url is None else ["Bearer", "DPoP"]
        self._keys = Keys(base)
        self._status_lists = StatusLists(issuer, base, self._keys, leeway)
        self._proofs = Proofs()

    def verify(
        self,
        authorization: str | None,
        scopes: Sequence[str] = (),
        *,
        method: str = "",
        path: str = "",
        proof: str | None = None,
    ) -> Bearer:
        """Says whose request this is, if its token has every one of the scopes; raises Refusal.

        `authorization` and `proof` are the headers Authorization and DPoP, `path` is as the caller sent it.
        """
        scheme, token = self._presented(authorization, scopes)
        try:
            claims = self._claims_of(token)
            self._check_binding(scheme, claims)
            use_proof = self._check_proof(proof, token, claims, method=method, path=path)
            if self._status_lists.is_revoked(claims):
                raise jwt.InvalidTokenError("revoked")
            granted = tuple(claims.get("scope", "").split())
            if not set(scopes).issubset(granted):
                raise insufficient_scope(scheme, scopes)
            use_proof()
        except Refusal:
            raise
        except Exception as error:  # the libraries get a stranger's bytes: what they raise is said of these
            raise (unavailable() if _is_fault(error) else not_valid(scheme)) from error
        roles = tuple(claims.get("roles", ()))
        return Bearer(claims["sub"], claims.get("client_id"), granted, roles, claims)

    def _presented(self, authorization: str | None, scopes: Sequence[str]) -> tuple[str, str]:
        found = re.fullmatch(r"(\w+) +(\S+)", authorization or "")
        for scheme in self._schemes:
            if found and found[1].lower() == scheme.lower():
                return scheme, found[2]
        raise no_token(self._schemes, scopes)

    def _claims_of(self, token: str) -> dict[str, Any]:
        key = self._keys.key_of(token)
        if key.algorithm_name not in ALGORITHMS:
            raise jwt.InvalidTokenError("a key of another kind")
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        if str(decoded["header"].get("typ")).lower() not in self._types:
            raise jwt.InvalidTokenError("not an access token")
        return decoded["payload"]

    def _check_binding(self, scheme: str, claims: dict[str, Any]) -> None:
        # One that is bound to nothing, by the scheme for those that are, is as odd as the other way round.
        if ("cnf" in claims) != (scheme == "DPoP"):
            raise jwt.InvalidTokenError("the scheme is not that of the token")
        if "cnf" in claims and not isinstance(claims["cnf"].get("jkt"), str):
            raise jwt.InvalidTokenError("not bound by DPoP")

    def _check_proof(
        self, proof: str | None, token: str, claims: dict[str, Any], *, method: str, path: str
    ) -> Callable[[], None]:
        """Gives what uses the proof up, which is nothing for a token that is bound to none."""
        if "cnf" not in claims:
            return lambda: None
        url, jkt = f"{self._own_url}{path}", claims["cnf"]["jkt"]
        with _about_proof():
            note = self._proofs.check(proof, token=token, jkt=jkt, method=method, url=url)

        def use() -> None:
            with _about_proof():
                note()

        return use


@contextmanager
def _about_proof() -> Iterator[None]:
    """What a library raises of a stranger's proof is said of that; a fault stays one."""
    try:
        yield
    except Exception as error:
        if _is_fault(error):
            raise
        raise not_valid("DPoP", "invalid_dpop_proof") from error


def _is_fault(error: Exception) -> bool:
    """Whether it says nothing about the token. RuntimeError's own children are of the libraries' parsers."""
    return isinstance(error, (Unavailable, MemoryError, OSError)) or type(error) is RuntimeError
