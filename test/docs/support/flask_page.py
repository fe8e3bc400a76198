"""The page's app (in APP) before a key set that is counted: writes the statuses of its answers as JSON."""

import json
import os
import sys
import time
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

page = {"__name__": "__main__"}
exec(compile(os.environ["APP"], "app.py", "exec"), page)
keys = {"first": ec.generate_private_key(ec.SECP256R1())}
fetches = 0


def fetch(client):
    global fetches
    fetches += 1
    to_jwk = jwt.algorithms.ECAlgorithm.to_jwk
    public = {kid: json.loads(to_jwk(key.public_key())) for kid, key in keys.items()}
    jwks = {"keys": [{**jwk, "kid": kid, "alg": "ES256", "use": "sig"} for kid, jwk in public.items()]}
    client.jwk_set_cache.put(jwks)
    return jwks


def token(signer, **header):
    claims = {
        "iss": page["ISSUER"],
        "aud": page["AUDIENCE"],
        "sub": "alice",
        "scope": "orders:read",
        "exp": int(time.time()) + 600,
        "type": "access",
    }
    return jwt.encode(claims, keys[signer], algorithm="ES256", headers=header)


def unsigned(**header):
    """The token's header is another one: its signature is good for nothing."""
    claims = token("first", kid="first").split(".")[1]
    text = json.dumps({"alg": "ES256", "typ": "JWT", **header}).encode()
    return f"{jwt.utils.base64url_encode(text).decode()}.{claims}.AAAA"


def ask(bearer):
    headers = {"Authorization": f"Bearer {bearer}"}
    return page["app"].test_client().get("/orders", headers=headers).status_code


with mock.patch.object(jwt.PyJWKClient, "fetch_data", fetch):
    statuses = {
        "good": ask(token("first", kid="first")),
        "none": ask(unsigned()),
        "number": ask(unsigned(kid=7)),
        "unknown": [ask(unsigned(kid=f"any{count}")) for count in range(20)],
        "good again": ask(token("first", kid="first")),
    }
    keys["second"] = ec.generate_private_key(ec.SECP256R1())
    statuses["rotated at once"] = ask(token("second", kid="second"))
    later = time.monotonic() + 31
    with mock.patch("time.monotonic", lambda: later):
        statuses["rotated later"] = ask(token("second", kid="second"))
json.dump({"statuses": statuses, "fetches": fetches}, sys.stdout)
