"""Python's verifiers: a line of standard input is a token, a line of standard output the verdict."""

import os
import sys

import jwt
from flask import Flask
from flask_jwt_extended import JWTManager, jwt_required

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]

keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")


def pyjwt(token):
    try:
        key = keys.get_signing_key_from_jwt(token)
        jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE)
        return "good"
    except jwt.PyJWTError as error:
        return repr(error)


app = Flask(__name__)
app.config.update(JWT_ALGORITHM="ES256", JWT_DECODE_ISSUER=ISSUER, JWT_DECODE_AUDIENCE=AUDIENCE)
manager = JWTManager(app)
# Both get their keys through this client: Flask-JWT-Extended fetches none by itself.
keys_of_flask = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")


@manager.decode_key_loader
def key_of(header, _claims):
    return keys_of_flask.get_signing_key(header["kid"]).key


@app.errorhandler(jwt.PyJWKClientError)
def unknown_key(error):
    return {"msg": str(error)}, 401


@app.get("/")
@jwt_required()
def orders():
    return "good"


def flask_jwt_extended(token):
    return app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).text


verify = {"pyjwt": pyjwt, "flask-jwt-extended": flask_jwt_extended}[sys.argv[1]]
for line in sys.stdin:
    print(verify(line.strip()).replace("\n", " "), flush=True)
