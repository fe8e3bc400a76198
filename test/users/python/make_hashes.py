"""Prints one JSON line per way of hashing a password.

Each is made by the library that people come from, at its own default cost. With `cheap` as argument the costs
are as low as the libraries allow: those lines are the fixtures of test/users/hashes.test.ts.
"""
import base64
import hashlib
import hmac
import json
import os
import sys

import bcrypt
import django
from django.conf import settings
from django.contrib.auth.hashers import get_hasher, make_password
from flask import Flask
from flask_bcrypt import Bcrypt
from passlib import hash as passlib
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from werkzeug.security import generate_password_hash

PASSWORD = "correct hörse 🐴 battery"
CHEAP = "cheap" in sys.argv

HASHERS = "django.contrib.auth.hashers."
settings.configure(PASSWORD_HASHERS=[HASHERS + name for name in (
    "PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher",
    "BCryptSHA256PasswordHasher", "BCryptPasswordHasher", "ScryptPasswordHasher")])
django.setup()


def cheaper(factory, **costs):
    return factory(**costs) if CHEAP else factory()


def of_django(algorithm, **costs):
    hasher = get_hasher(algorithm)
    for name, value in costs.items() if CHEAP else ():
        setattr(hasher, name, value)
    return make_password(PASSWORD, hasher=hasher)


def of_flask(long_passwords):
    app = Flask(__name__)
    app.config["BCRYPT_LOG_ROUNDS"] = 4 if CHEAP else 12
    app.config["BCRYPT_HANDLE_LONG_PASSWORDS"] = long_passwords
    return Bcrypt(app).generate_password_hash(PASSWORD).decode()


def of_passlib(name, **options):
    costs = {key: value for key, value in options.items() if CHEAP or key in ("ident", "type", "version")}
    return getattr(passlib, name).using(**costs).hash(PASSWORD)


def of_bcrypt(rounds, prefix):
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4 if CHEAP else rounds, prefix)).decode()


def of_keycloak(digest, iterations):
    """Pbkdf2PasswordHashProvider derives 64 bytes whatever the digest.

    An import writes them as passlib would.
    """
    rounds, salt = 10 if CHEAP else iterations, os.urandom(16)
    value = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), salt, rounds, 64)
    parts = (base64.b64encode(part).decode().replace("+", ".").rstrip("=") for part in (salt, value))
    return "$".join((f"$pbkdf2-{digest}".removesuffix("-sha1"), str(rounds), *parts))


def of_wordpress():
    """As wp_hash_password of WordPress 6.8 does, in wp-includes/pluggable.php."""
    value = hmac.new(b"wp-sha384", PASSWORD.strip(" \t\n\r\0\v").encode(), "sha384").digest()
    salt = bcrypt.gensalt(4 if CHEAP else 10, b"2b")
    # PHP calls it 2y.
    return "$wp" + bcrypt.hashpw(base64.b64encode(value), salt).decode().replace("$2b$", "$2y$")


HASHES = {
    "django pbkdf2_sha256": lambda: of_django("pbkdf2_sha256", iterations=10),
    "django pbkdf2_sha1": lambda: of_django("pbkdf2_sha1", iterations=10),
    "django argon2": lambda: of_django("argon2", time_cost=1, memory_cost=16, parallelism=2),
    "django bcrypt_sha256": lambda: of_django("bcrypt_sha256", rounds=4),
    "django bcrypt": lambda: of_django("bcrypt", rounds=4),
    "django scrypt": lambda: of_django("scrypt", work_factor=16),
    "werkzeug scrypt": lambda: generate_password_hash(PASSWORD, "scrypt:1024:8:1" if CHEAP else "scrypt"),
    "werkzeug pbkdf2": lambda: generate_password_hash(PASSWORD, "pbkdf2:sha256:10" if CHEAP else "pbkdf2"),
    "werkzeug pbkdf2:sha512": lambda: generate_password_hash(
        PASSWORD, "pbkdf2:sha512:" + ("10" if CHEAP else "210000")
    ),
    "passlib pbkdf2_sha256": lambda: of_passlib("pbkdf2_sha256", rounds=10),
    "passlib pbkdf2_sha512": lambda: of_passlib("pbkdf2_sha512", rounds=10),
    "passlib pbkdf2_sha1": lambda: of_passlib("pbkdf2_sha1", rounds=10),
    "passlib scrypt": lambda: of_passlib("scrypt", rounds=4),
    "passlib bcrypt": lambda: of_passlib("bcrypt", rounds=4),
    "passlib bcrypt 2y": lambda: of_passlib("bcrypt", rounds=4, ident="2y"),
    "passlib bcrypt_sha256": lambda: of_passlib("bcrypt_sha256", rounds=4),
    "passlib bcrypt_sha256 1": lambda: of_passlib("bcrypt_sha256", rounds=4, version=1),
    "passlib argon2id": lambda: of_passlib("argon2", type="ID", rounds=1, memory_cost=16, parallelism=1),
    "passlib argon2i": lambda: of_passlib("argon2", type="I", rounds=1, memory_cost=16, parallelism=1),
    "passlib argon2d": lambda: of_passlib("argon2", type="D", rounds=1, memory_cost=16, parallelism=1),
    "passlib phpass": lambda: of_passlib("phpass", rounds=7),
    "pwdlib argon2": lambda: cheaper(Argon2Hasher, time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD),
    "pwdlib bcrypt": lambda: cheaper(BcryptHasher, rounds=4).hash(PASSWORD),
    "flask-bcrypt": lambda: of_flask(False),
    # Written like any other bcrypt hash; `users import --bcrypt-prehash sha256-hex` puts Django's prefix
    # before it.
    "flask-bcrypt long passwords": lambda: "bcrypt_sha256$" + of_flask(True),
    "keycloak pbkdf2": lambda: of_keycloak("sha1", 1_300_000),
    "keycloak pbkdf2-sha256": lambda: of_keycloak("sha256", 600_000),
    "keycloak pbkdf2-sha512": lambda: of_keycloak("sha512", 210_000),
    "supabase bcrypt": lambda: of_bcrypt(10, b"2a"),
    "auth0 bcrypt": lambda: of_bcrypt(10, b"2b"),
    "wordpress bcrypt": of_wordpress,
}

for name, make in HASHES.items():
    print(json.dumps({"name": name, "password": PASSWORD, "hash": make()}, ensure_ascii=False))
