"""A client of the Flask app: logs in with JSON at BASE_URL, then calls what is protected (requests)."""

import json
import os

import requests

answer = requests.post(
    f"{os.environ['BASE_URL']}/login",
    json={"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]},
    timeout=20,
)
token = answer.json()["access_token"]
protected = requests.get(
    f"{os.environ['API_URL']}/protected",
    headers={"Authorization": f"Bearer {token}"},
    timeout=20,
)
print(json.dumps({"login": answer.status_code, "protected": protected.status_code, **protected.json()}))
