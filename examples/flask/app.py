"""A Flask resource server. Latchkey knows the users and hands out the tokens; this app only checks them."""

import os
import time
from functools import partial

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc6749 import MissingAuthorizationError, UnsupportedTokenTypeError
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, abort, jsonify, make_response, request
from joserfc.jwk import KeySet
from status_list import LEEWAY_SECONDS, StatusLists, StatusListUnavailable

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
AUDIENCE = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")


class LatchkeyTokens(JWTBearerTokenValidator):
    """Checks signature, type, issuer, audience, times and scope (RFC 9068 section 4).

    Then whether the token was revoked.
    """

    keys = None
    fresh_until = 0.0

    def __init__(self, issuer, resource_server):
        super().__init__(issuer, resource_server)
        self.status_lists = StatusLists(issuer, self.get_jwks)

    def get_jwks(self):
        # Kept for five minutes; Latchkey publishes a key a week before it signs with it.
        if time.monotonic() >= self.fresh_until:
            answer = requests.get(f"{self.issuer}/.well-known/jwks.json", timeout=5)
            answer.raise_for_status()
            self.keys = KeySet.import_key_set(answer.json())
            self.fresh_until = time.monotonic() + 300
        return self.keys

    def authenticate_token(self, token_string):
        token = super().authenticate_token(token_string)
        # The base class checks a type that is there, but lets it be absent.
        if "typ" not in token.header:
            raise InvalidTokenError()
        # The base class asks for no leeway.
        token.validate = partial(token.validate, leeway=LEEWAY_SECONDS)
        return token

    def validate_token(self, token, scopes, request, **others):
        super().validate_token(token, scopes, request, **others)
        if self.status_lists.is_revoked(token):
            raise InvalidTokenError()


class BearerProtector(ResourceProtector):
    """Refuses as RFC 6750 section 3 says: always with a challenge.

    With an error code only where a token was sent.
    """

    def raise_error_response(self, error):
        challenge = f'Bearer error="{error.error}", error_description="{error.description}"'
        if isinstance(error, MissingAuthorizationError | UnsupportedTokenTypeError):
            challenge = "Bearer"
        abort(make_response(dict(error.get_body()), error.status_code, {"WWW-Authenticate": challenge}))


# What a database would hold.
ORDERS_BY_TENANT = {
    "acme": [{"id": 1, "item": "a lamp"}, {"id": 2, "item": "a desk"}],
    "globex": [{"id": 3, "item": "a chair"}],
}

app = Flask(__name__)
require_oauth = BearerProtector()
require_oauth.register_token_validator(LatchkeyTokens(issuer=ISSUER, resource_server=AUDIENCE))


@app.errorhandler(requests.RequestException)
@app.errorhandler(StatusListUnavailable)
def unavailable(_error):
    # That keys or lists can't be had says nothing about the token: the client must not throw it away.
    return {"error": "temporarily_unavailable"}, 503, {"Retry-After": "5"}


@app.get("/users/me")
@require_oauth()
def read_users_me():
    # A machine has neither tenant nor e-mail.
    return {
        "sub": current_token["sub"],
        "scopes": current_token.get("scope", "").split(),
        "roles": current_token.get("roles", []),
        "tenant": current_token.get("tenant"),
        "email": current_token.get("email"),
    }


@app.get("/orders")
@require_oauth("orders:read")
def read_orders():
    return jsonify([{"id": 1, "item": f"a lamp for {current_token['sub']}"}])


@app.get("/tenant/orders")
@require_oauth("orders:read")
def read_tenant_orders():
    """The orders of the caller's tenant, which the token names and no parameter can."""
    tenant = current_token.get("tenant")
    if tenant is None:
        return {"detail": "the token names no tenant"}, 403
    return jsonify(ORDERS_BY_TENANT.get(tenant, []))


@app.post("/orders")
@require_oauth("orders:write")
def create_order():
    return request.get_json(), 201
