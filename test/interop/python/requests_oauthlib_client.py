"""requests-oauthlib: password and refresh, for a public and a confidential client, automatic refresh."""

import json
import os

from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

URL, USER, PASSWORD = (os.environ[name] for name in ("LATCHKEY_URL", "USERNAME", "PASSWORD"))
TOKEN = f"{URL}/token"


def kinds(token):
    return {"type": token["token_type"], "scope": token["scope"], "expires_in": token["expires_in"]}


def public_client():
    session = OAuth2Session(client=LegacyApplicationClient("mobile", scope=["profile"]))
    first = session.fetch_token(TOKEN, username=USER, password=PASSWORD, include_client_id=True)
    me = session.get(f"{URL}/userinfo").json()
    second = session.refresh_token(TOKEN, client_id="mobile")
    rotated = first["refresh_token"] != second["refresh_token"]
    return {**kinds(first), "name": me["preferred_username"], "rotated": rotated}


def basic_client():
    auth = HTTPBasicAuth(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    session = OAuth2Session(client=LegacyApplicationClient(os.environ["CLIENT_ID"]))
    first = session.fetch_token(TOKEN, username=USER, password=PASSWORD, auth=auth)
    second = session.refresh_token(TOKEN, auth=auth)
    return {**kinds(first), "rotated": first["refresh_token"] != second["refresh_token"]}


def post_client():
    session = OAuth2Session(client=LegacyApplicationClient(os.environ["CLIENT_ID"]))
    secret = os.environ["CLIENT_SECRET"]
    first = session.fetch_token(
        TOKEN, username=USER, password=PASSWORD, include_client_id=True, client_secret=secret
    )
    return kinds(first)


def automatic_refresh():
    """The session's token has expired; one call refreshes it, keeps what came and is answered."""
    kept = []
    session = OAuth2Session(
        client=LegacyApplicationClient("mobile"),
        auto_refresh_url=TOKEN,
        auto_refresh_kwargs={"client_id": "mobile"},
        token_updater=kept.append,
    )
    token = session.fetch_token(TOKEN, username=USER, password=PASSWORD, include_client_id=True)
    session.token = {**token, "expires_in": None, "expires_at": 1}
    me = session.get(f"{URL}/userinfo")
    rotated = [new["refresh_token"] != token["refresh_token"] for new in kept]
    return {"status": me.status_code, "rotated": rotated}


def wrong_password():
    session = OAuth2Session(client=LegacyApplicationClient("mobile"))
    try:
        session.fetch_token(TOKEN, username=USER, password="wrong", include_client_id=True)
    except InvalidGrantError as error:
        return {"error": error.error, "status": error.status_code}


print(json.dumps({
    "public": public_client(),
    "basic": basic_client(),
    "post": post_client(),
    "automatic": automatic_refresh(),
    "wrong": wrong_password(),
}))
