"""A small Flask app with 1,000 users of its own, which answers Latchkey as docs/users-elsewhere.md says."""

import os
import sqlite3

from flask import Flask, abort, jsonify, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from werkzeug.security import check_password_hash, generate_password_hash

METHOD = "pbkdf2:sha256:1000"
DUMMY = generate_password_hash("nobody's", METHOD)

app = Flask(__name__)
webhook = Webhook(os.environ["SECRET"])
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password_hash TEXT)")
database.executemany(
    "INSERT INTO users VALUES (?, ?, ?)",
    [
        (n, f"user{n}", generate_password_hash(f"{os.environ['PASSWORD']} {n}", METHOD))
        for n in range(1, int(os.environ["USERS"]) + 1)
    ],
)


def asked():
    try:
        return webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        abort(403)


def found(where, value):
    query = f"SELECT id, name, password_hash FROM users WHERE {where} = ?"
    return database.execute(query, (value,)).fetchone()


@app.post("/latchkey/verify")
def verify():
    sent = asked()
    user = found("name", sent["name"])
    is_right = check_password_hash(user[2] if user else DUMMY, sent["password"])
    if user is None:
        return jsonify({}), 404
    if not is_right:
        return jsonify({}), 401
    return jsonify(id=user[0], name=user[1], email=f"{user[1]}@example.com", email_verified=True)


@app.post("/latchkey/lookup")
def lookup():
    user = found("id", asked()["id"])
    return (jsonify(id=user[0], name=user[1]), 200) if user else (jsonify({}), 404)


@app.get("/orders")
def ready():
    return jsonify([])


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), threaded=True)
