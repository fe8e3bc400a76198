"""Counts the words of new notes, with a token of its own: nobody is logged in, and it may do nothing else."""

import json
import os
import time
from base64 import b64encode
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
API = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")
SECRET = os.environ["WORKER_SECRET"]


def send(request: Request):
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


class MachineToken:
    """Kept until shortly before it expires: one request to Latchkey for minutes of work."""

    def __init__(self):
        self.drop()

    def drop(self) -> None:
        self.text, self.good_until = "", 0.0

    def get(self) -> str:
        if time.monotonic() >= self.good_until:
            asked_at = time.monotonic()
            credentials = b64encode(f"worker:{SECRET}".encode()).decode()
            answer = send(
                Request(
                    f"{ISSUER}/token",
                    data=b"grant_type=client_credentials",
                    headers={"Authorization": f"Basic {credentials}"},
                )
            )
            self.text, self.good_until = answer["access_token"], asked_at + answer["expires_in"] - 30
        return self.text


token = MachineToken()


def call(method: str, path: str, body: object = None):
    headers = {"Authorization": f"Bearer {token.get()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return send(Request(f"{API}{path}", method=method, data=data, headers=headers))


def count_words() -> None:
    for note in call("GET", "/uncounted"):
        call("PUT", f"/uncounted/{note['id']}", {"words": len(note["text"].split())})


def run() -> None:
    while True:
        try:
            count_words()
        except HTTPError as error:
            print(f"worker: {error.url} says {error.code}", flush=True)
            if error.code == 401:
                token.drop()
        except OSError as error:
            # Not up yet, or away: a moment later it may be there.
            print(f"worker: {error}", flush=True)
        time.sleep(1)


try:
    run()
except KeyboardInterrupt:
    pass
