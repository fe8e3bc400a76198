"""Logs people in through requests-oauthlib, each with a wrong and then with the right password.

Prints what came of it.
"""

import json
import os

from oauthlib.oauth2 import LegacyApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session

URL, PASSWORD = os.environ["LATCHKEY_URL"], os.environ["PASSWORD"]


def log_in(name, password):
    session = OAuth2Session(client=LegacyApplicationClient("mobile"))
    try:
        session.fetch_token(f"{URL}/token", username=name, password=password, include_client_id=True)
    except OAuth2Error as error:
        return error.error
    return session.get(f"{URL}/userinfo").json()["preferred_username"]


names = json.loads(os.environ["NAMES"])
print(json.dumps({name: [log_in(name, PASSWORD + "."), log_in(name, PASSWORD)] for name in names}))
