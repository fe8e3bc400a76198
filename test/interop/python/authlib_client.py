"""Authlib's OAuth 2.0 client: password, refresh, introspection and revocation.

With every way of client authentication.
"""

import json
import os

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

URL, USER, PASSWORD = (os.environ[name] for name in ("LATCHKEY_URL", "USERNAME", "PASSWORD"))
TOKEN = f"{URL}/token"


def login(method, client_id, secret=None):
    session = OAuth2Session(client_id, secret, token_endpoint_auth_method=method, scope="profile orders:read")
    return session, session.fetch_token(TOKEN, username=USER, password=PASSWORD)


def journey(method, client_id, secret=None):
    """Login, a call, refresh, revocation, and a refresh that is refused."""
    session, first = login(method, client_id, secret)
    me = session.get(f"{URL}/userinfo")
    second = session.refresh_token(TOKEN, refresh_token=first["refresh_token"])
    revoked = session.revoke_token(
        f"{URL}/revoke", token=second["refresh_token"], token_type_hint="refresh_token"
    )
    try:
        session.refresh_token(TOKEN, refresh_token=second["refresh_token"])
        refused = None
    except OAuthError as error:
        refused = error.error
    return {
        "type": first["token_type"],
        "scope": first["scope"],
        "userinfo": me.status_code,
        "rotated": first["refresh_token"] != second["refresh_token"],
        "revoked": revoked.status_code,
        "refused": refused,
    }


def introspection():
    """A resource server asks about a user's tokens before and after their session ends."""
    session, token = login("none", "mobile")
    api = OAuth2Session(
        "orders-api", os.environ["API_SECRET"], token_endpoint_auth_method="client_secret_basic"
    )
    ask = lambda text: api.introspect_token(f"{URL}/introspect", token=text).json()
    alive = ask(token["access_token"])
    session.revoke_token(f"{URL}/revoke", token=token["refresh_token"])
    return {
        "alive": alive["active"],
        "client": alive["client_id"],
        "dead": ask(token["access_token"]),
        "unknown": ask("xyz"),
    }


def wrong_password():
    try:
        session = OAuth2Session("mobile", token_endpoint_auth_method="none")
        session.fetch_token(TOKEN, username=USER, password="wrong")
    except OAuthError as error:
        return error.error


client = (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
print(json.dumps({
    "none": journey("none", "mobile"),
    "client_secret_basic": journey("client_secret_basic", *client),
    "client_secret_post": journey("client_secret_post", *client),
    "introspection": introspection(),
    "wrong": wrong_password(),
}))
