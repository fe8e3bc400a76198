"""Prints the rows of auth_user, as CSV, of a Django that made three users.

One per hasher that a project may have had over the years; one is locked.
"""

import csv
import io
import json
import sqlite3

import django
from django.conf import settings

HASHERS = "django.contrib.auth.hashers."
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "file:users?mode=memory&cache=shared",
        }
    },
    PASSWORD_HASHERS=[
        HASHERS + name
        for name in ("PBKDF2PasswordHasher", "Argon2PasswordHasher", "ScryptPasswordHasher")
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

PASSWORD = "correct hörse 🐴 battery"

call_command("migrate", verbosity=0)
User.objects.create_user("Ann", email="ann@example.com", password=PASSWORD)
User.objects.create(username="bob", password=make_password(PASSWORD, hasher="argon2"))
User.objects.create(username="carol", password=make_password(PASSWORD, hasher="scrypt"), is_active=False)
User.objects.create_user("no-password")

with sqlite3.connect("file:users?mode=memory&cache=shared", uri=True) as database:
    rows = database.execute("SELECT * FROM auth_user ORDER BY id")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column for column, *_ in rows.description)
    writer.writerows(rows)
print(json.dumps({"csv": text.getvalue(), "password": PASSWORD}))
