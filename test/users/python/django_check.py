"""Django's own check_password on the hashes of an export, read from HASHES.

Is the password right, and is another one wrong?
"""

import json
import os

import django
from django.conf import settings

settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"])
django.setup()

from django.contrib.auth.hashers import check_password  # noqa: E402

PASSWORD = os.environ["PASSWORD"]
hashes = json.loads(os.environ["HASHES"])
checked = {
    name: [check_password(PASSWORD, "argon2" + hash), check_password(PASSWORD + ".", "argon2" + hash)]
    for name, hash in hashes.items()
}
print(json.dumps(checked))
