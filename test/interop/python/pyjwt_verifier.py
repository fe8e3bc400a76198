"""PyJWT with its JWKS client, and Authlib's RFC 9068 validator: offline verification of a token."""

import json
import os

import jwt
import requests
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

ISSUER, AUDIENCE, TOKEN = (os.environ[name] for name in ("LATCHKEY_URL", "AUDIENCE", "TOKEN"))

metadata = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=5).json()
jwks = jwt.PyJWKClient(metadata["jwks_uri"])


def pyjwt(token, audience=AUDIENCE, issuer=ISSUER):
    try:
        key = jwks.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=issuer)
    except jwt.PyJWTError as error:
        return type(error).__name__


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=5).json())


def authlib(token, audience=AUDIENCE, issuer=ISSUER):
    validator = Validator(issuer, audience)
    try:
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, ["orders:read"], None)
        return dict(claims)
    except InvalidTokenError as error:
        return error.error


def tampered(token):
    header, payload, signature = token.split(".")
    return f"{header}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def look(verify):
    return {
        "good": verify(TOKEN),
        "tampered": verify(tampered(TOKEN)),
        "audience": verify(TOKEN, audience="https://elsewhere.example.com"),
        "issuer": verify(TOKEN, issuer="https://elsewhere.example.com"),
    }


print(json.dumps({"issuer": metadata["issuer"], "pyjwt": look(pyjwt), "authlib": look(authlib)}))
