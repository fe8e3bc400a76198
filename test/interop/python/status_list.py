"""A status list as it is read with nothing but zlib, its signature checked by PyJWT."""

import json
import os
import zlib
from base64 import urlsafe_b64decode

import jwt
import requests

TOKENS = json.loads(os.environ["TOKENS"])
jwks = jwt.PyJWKClient(f"{os.environ['LATCHKEY_URL']}/.well-known/jwks.json")


def is_revoked(token):
    reference = jwt.decode(token, options={"verify_signature": False})["status"]["status_list"]
    text = requests.get(reference["uri"], headers={"Accept": "application/statuslist+jwt"}, timeout=5).text
    key = jwks.get_signing_key_from_jwt(text)
    status = jwt.decode(text, key, algorithms=["ES256"], subject=reference["uri"])["status_list"]
    assert status["bits"] == 1
    bits = zlib.decompress(urlsafe_b64decode(status["lst"] + "=="))
    return bool(bits[reference["idx"] // 8] >> reference["idx"] % 8 & 1)


print(json.dumps([is_revoked(token) for token in TOKENS]))
