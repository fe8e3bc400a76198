"""The same by Flask, and a webhook: Latchkey posts what has to be sent, and this app sends it."""

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path

from flask import Flask, jsonify, request, send_from_directory
from standardwebhooks import Webhook, WebhookVerificationError

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000")
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    f"connect-src 'self' {ISSUER}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = {"ticket.verification": "verify", "ticket.recovery": "reset"}

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
app = Flask(__name__, static_folder=None)


class SeenMessages:
    """The last ids: a message comes at least once, and twice where an answer was lost.

    An app with several processes keeps them in its database.
    """

    def __init__(self, most: int = 10_000):
        self.most = most
        self.ids = OrderedDict()
        self.lock = threading.Lock()

    def has(self, message_id: str) -> bool:
        with self.lock:
            return message_id in self.ids

    def add(self, message_id: str) -> None:
        with self.lock:
            self.ids[message_id] = None
            if len(self.ids) > self.most:
                self.ids.popitem(last=False)


seen = SeenMessages()


def send(message: dict) -> None:
    """Stands for your mail or text messages.

    The ticket goes into the fragment, which no server is sent.
    """
    data = message["data"]
    link = f"{PUBLIC_URL}/{PAGES[message['type']]}#{data['ticket']}"
    print(json.dumps({"to": data["email"], "link": link}), flush=True)


@app.post("/hooks/latchkey")
def hook():
    try:
        # Of the bytes as they came, before anybody parses them; what is older than five minutes is refused.
        webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return "", 401
    message = request.get_json()
    message_id = request.headers["webhook-id"]
    if not seen.has(message_id) and message["type"] in PAGES:
        send(message)
        # Not before: what could not be sent would be taken for sent.
        seen.add(message_id)
    return "", 204


@app.get("/settings.json")
def settings():
    return jsonify(issuer=ISSUER, client="web")


@app.get("/")
@app.get("/verify")
@app.get("/reset")
def page():
    return send_from_directory(PAGE, "index.html")


@app.get("/<path:name>")
def static_file(name: str):
    return send_from_directory(PAGE, name)


@app.after_request
def guard(response):
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
