"""A client of the tutorial's app: a form with username and password, and nothing else (requests)."""

import json
import os

import requests

base = os.environ["BASE_URL"]
answer = requests.post(
    f"{base}/token",
    data={"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]},
    timeout=20,
)
token = answer.json()
me = requests.get(
    f"{os.environ['API_URL']}/users/me",
    headers={"Authorization": f"Bearer {token['access_token']}"},
    timeout=20,
)
wrong = requests.post(
    f"{base}/token", data={"username": os.environ["USERNAME"], "password": "no"}, timeout=20
)
print(
    json.dumps(
        {
            "type": token["token_type"].lower(),
            "me": me.status_code,
            "wrong": wrong.status_code,
            "sunset": answer.headers.get("Sunset"),
        }
    )
)
