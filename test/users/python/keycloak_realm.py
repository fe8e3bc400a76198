"""Prints a realm as Keycloak exports it with its users.

Hashes of its four algorithms at Keycloak's own costs, made by hashlib and argon2-cffi.
"""

import base64
import hashlib
import json
import os

from argon2.low_level import Type, hash_secret_raw

PASSWORD = "correct hörse 🐴 battery"


def text(value):
    return base64.b64encode(value).decode()


def credential(value, salt, iterations, algorithm, parameters):
    return {
        "type": "password",
        "createdDate": 1763000000000,
        "secretData": json.dumps({"value": text(value), "salt": text(salt), "additionalParameters": {}}),
        "credentialData": json.dumps({
            "hashIterations": iterations,
            "algorithm": algorithm,
            "additionalParameters": parameters,
        }),
    }


def argon2():
    salt = os.urandom(16)
    costs = {"time_cost": 5, "memory_cost": 7168, "parallelism": 1}
    value = hash_secret_raw(PASSWORD.encode(), salt, hash_len=32, type=Type.ID, **costs)
    parameters = {
        "hashLength": ["32"],
        "memory": ["7168"],
        "type": ["id"],
        "version": ["1.3"],
        "parallelism": ["1"],
    }
    return credential(value, salt, 5, "argon2", parameters)


def pbkdf2(digest, iterations, length):
    salt = os.urandom(16)
    value = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), salt, iterations, length)
    # The one with SHA-1 is called pbkdf2 alone.
    return credential(value, salt, iterations, f"pbkdf2-{digest}".removesuffix("-sha1"), {})


def user(number, name, password, **more):
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "username": name,
        "emailVerified": True,
        "enabled": True,
        "credentials": [password],
        "requiredActions": [],
        "realmRoles": ["default-roles-shop", "buyer"],
        "notBefore": 0,
        "groups": [],
        **more,
    }


realm = {
    "id": "shop",
    "realm": "shop",
    "enabled": True,
    "users": [
        user(1, "dora", argon2()),
        user(2, "emil", pbkdf2("sha512", 210_000, 64)),
        user(3, "fay", pbkdf2("sha256", 27_500, 64), enabled=False),
        user(4, "gil", pbkdf2("sha1", 1_300_000, 64)),
    ],
    "scopeMappings": [],
    "keycloakVersion": "26.4.0",
}
print(json.dumps({"realm": realm, "password": PASSWORD}))
