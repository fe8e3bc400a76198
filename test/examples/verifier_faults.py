"""packages/latchkey-verifier-python beside faults: none of them may become a verdict on a token."""

import json
import sys
import threading
import time
import zlib
from base64 import urlsafe_b64encode
from hashlib import sha256
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from latchkey_verifier import Refusal, Verifier, _keys, _status_list
from latchkey_verifier._dpop import MOST_OF_KEY, Proofs, _base64url, _thumbprint
from latchkey_verifier._fetch import Unavailable

ISSUER = "https://id.example"
KEY, HOLDER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
results = {}


def jwk_of(key):
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)


def fetch_keys(_url, _accept):
    return json.dumps({"keys": [{**jwk_of(KEY), "kid": "a", "alg": "ES256"}]}).encode()


def signed(claims, typ="at+jwt"):
    now = int(time.time())
    everything = {"iss": ISSUER, "iat": now, "exp": now + 600, **claims}
    return jwt.encode(everything, KEY, algorithm="ES256", headers={"kid": "a", "typ": typ})


def fetch_list(url, _accept):
    lst = urlsafe_b64encode(zlib.compress(b"\0\0")).decode()
    return signed({"sub": url, "ttl": 0, "status_list": {"bits": 1, "lst": lst}}, "statuslist+jwt").encode()


def fail(*_):
    raise TimeoutError("away")


def hang(*_):
    time.sleep(3)
    fail()


def status_of(verifier, authorization, *scopes, **request):
    try:
        verifier.verify(authorization, scopes, **request)
        return 200
    except Refusal as refusal:
        return refusal.status


def new_verifier(**options):
    return Verifier(ISSUER, "orders", **options)


STATUS = {"status": {"status_list": {"idx": 1, "uri": f"{ISSUER}/status-lists/1"}}}
ACCESS = {"sub": "u", "aud": "orders", "scope": "a", **STATUS}
_keys.fetch, _status_list.fetch = fetch_keys, fetch_list

# No thread is to be had while the keys are overdue.
verifier, bearer = new_verifier(), f"Bearer {signed(ACCESS)}"
before = status_of(verifier, bearer)
verifier._keys._due_at = time.monotonic() - 1
with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
    results["no thread"] = [before, status_of(verifier, bearer)]
with mock.patch.object(verifier._keys, "key_of", side_effect=RuntimeError("can't start new thread")):
    results["another fault"] = status_of(verifier, bearer)

# The issuer fails once, and then hangs.
verifier = new_verifier()
before = status_of(verifier, bearer)
_status_list.fetch = fail
failed = status_of(verifier, bearer)
time.sleep(1.1)
_status_list.fetch = hang
begun = time.monotonic()
results["a good list"] = [before, failed, status_of(verifier, bearer), time.monotonic() - begun < 1]
_status_list.fetch = fetch_list

# One request looks for an unknown key while the issuer hangs; another waits for nothing.
keys = verifier._keys
keys._has_failed = True
begun = time.monotonic()
with keys._lock:
    other = jwt.encode({}, KEY, algorithm="ES256", headers={"kid": "b"})
    asked = threading.Thread(target=lambda: results.update(unknown=status_of(verifier, f"Bearer {other}")))
    asked.start()
    asked.join(1)
    results["unknown at once"] = "unknown" in results

# A proof is used up by a request that is let in; the address may end with a slash.
verifier = new_verifier(public_url="https://api.example/")
token = signed({**ACCESS, "cnf": {"jkt": _thumbprint(jwk_of(HOLDER))}})
claims = {"htm": "GET", "htu": "https://api.example/x", "jti": "1", "iat": int(time.time())}
claims["ath"] = _base64url(sha256(token.encode()).digest())
proof = jwt.encode(claims, HOLDER, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk_of(HOLDER)})
request = {"method": "GET", "path": "/x", "proof": proof}
results["proof"] = [status_of(verifier, f"DPoP {token}", scope, **request) for scope in ("b", "a", "a")]

# One key has a part of the room.
proofs, until = Proofs(), time.time() + 60
for jti in range(MOST_OF_KEY):
    proofs._note_once("busy", str(jti), until)
try:
    proofs._note_once("busy", "one more", until)
except Unavailable:
    results["no room"] = True
proofs._note_once("other", "0", until)

json.dump(results, sys.stdout)
