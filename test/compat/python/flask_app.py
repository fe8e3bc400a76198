"""An app with Flask-JWT-Extended: with its own /login, or with Latchkey's tokens, by configuration alone."""

import os

import jwt
from flask import Flask, jsonify, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
issuer = None if "OWN_LOGIN" in os.environ else os.environ["LATCHKEY_ISSUER"]
if issuer is None:
    app.config["JWT_SECRET_KEY"] = os.urandom(32).hex()
else:
    # One key, read at the start: enough for a test, and examples/flask shows how an app follows a rotation.
    keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json", timeout=5).get_signing_keys()
    # As docs/compat.md has them, for this issuer and this API.
    settings = os.environ["JWT_SETTINGS"]
    for documented, here in (
        ("https://id.example.com", issuer),
        ("https://api.example.com", os.environ["AUDIENCE"]),
    ):
        assert documented in settings
        settings = settings.replace(documented, here)
    exec(settings, {"app": app, "public_key": keys[0].key})
JWTManager(app)


@app.post("/login")
def login():
    sent = request.get_json()
    if (sent.get("username"), sent.get("password")) != (os.environ["USERNAME"], os.environ["PASSWORD"]):
        return jsonify(msg="Bad username or password"), 401
    return jsonify(access_token=create_access_token(identity=sent["username"]))


@app.get("/protected")
@jwt_required()
def protected():
    return jsonify(logged_in_as=get_jwt_identity())


@app.get("/orders")
def ready():
    return jsonify([])
