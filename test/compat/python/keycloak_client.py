"""python-keycloak, as its README has it, at BASE_URL: what it saw, as one JSON text."""

import json
import os

from keycloak import KeycloakOpenID
from keycloak.exceptions import KeycloakAuthenticationError, KeycloakError

client = KeycloakOpenID(
    server_url=os.environ["BASE_URL"],
    realm_name="main",
    client_id=os.environ["CLIENT_ID"],
    client_secret_key=os.environ["CLIENT_SECRET"],
)
known = client.well_known()
token = client.token(os.environ["USERNAME"], os.environ["PASSWORD"])
user = client.userinfo(token["access_token"])
active = client.introspect(token["access_token"])["active"]
again = client.refresh_token(token["refresh_token"])
alive = client.introspect(again["access_token"])["active"]
client.logout(again["refresh_token"])
ended = client.introspect(again["access_token"])["active"]
try:
    client.refresh_token(again["refresh_token"])
    refused = None
except KeycloakError as error:
    refused = error.response_code
try:
    client.token(os.environ["USERNAME"], "wrong")
    wrong = None
except KeycloakAuthenticationError as error:
    wrong = error.response_code
except KeycloakError as error:
    wrong = error.response_code
print(
    json.dumps(
        {
            "issuer": known["issuer"],
            "keys": len(client.certs()["keys"]) > 0,
            "id_token": "id_token" in token,
            "sub": user["sub"],
            "active": [active, alive, ended],
            "rotated": token["refresh_token"] != again["refresh_token"],
            "refused": refused,
            "wrong": wrong,
        }
    )
)
