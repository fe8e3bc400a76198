"""Machines: the client credentials grant by requests-oauthlib and Authlib, with a secret and with a key."""

import json
import os

from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from oauthlib.oauth2 import BackendApplicationClient, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

TOKEN = f"{os.environ['LATCHKEY_URL']}/token"
ID, SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
SIGNER, KEY = os.environ["SIGNER_ID"], ECKey.import_key(os.environ["SIGNER_PEM"])


SHOWN = ("access_token", "token_type", "expires_in", "scope", "refresh_token")


def shown(token):
    return {name: token[name] for name in SHOWN if name in token}


def oauthlib_basic():
    session = OAuth2Session(client=BackendApplicationClient(ID, scope=["orders:read"]))
    return shown(session.fetch_token(TOKEN, auth=HTTPBasicAuth(ID, SECRET)))


def oauthlib_post():
    session = OAuth2Session(client=BackendApplicationClient(ID))
    return shown(session.fetch_token(TOKEN, client_secret=SECRET, include_client_id=True))


def oauthlib_refused():
    session = OAuth2Session(client=BackendApplicationClient(ID, scope=["admin"]))
    try:
        session.fetch_token(TOKEN, auth=HTTPBasicAuth(ID, SECRET))
    except InvalidScopeError as error:
        return error.error


def authlib(method):
    session = AuthlibSession(ID, SECRET, token_endpoint_auth_method=method, scope="orders:read")
    return shown(session.fetch_token(TOKEN, grant_type="client_credentials"))


def authlib_key():
    method = PrivateKeyJWT(TOKEN, alg="ES256")
    session = AuthlibSession(SIGNER, KEY, token_endpoint_auth_method=method, scope="orders:read")
    return shown(session.fetch_token(TOKEN, grant_type="client_credentials"))


print(json.dumps({
    "oauthlib": {"basic": oauthlib_basic(), "post": oauthlib_post(), "refused": oauthlib_refused()},
    "authlib": {
        "basic": authlib("client_secret_basic"),
        "post": authlib("client_secret_post"),
        "key": authlib_key(),
    },
}))
