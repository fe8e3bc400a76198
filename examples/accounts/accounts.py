"""Latchkey's accounts, by SCIM 2.0 (RFC 7644) with a machine's token. No password is kept or logged."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Refused(Exception):
    """Latchkey has refused: `status` says how, `detail` why."""

    def __init__(self, status: int, detail: str):
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Unavailable(Exception):
    """Latchkey, or its store, is away or busy: the same call may be made again."""


class Accounts:
    """Who has an account. `issuer`: Latchkey; `management`: its management listener."""

    def __init__(self, issuer: str, management: str, client_id: str, secret: str):
        self._issuer = issuer
        self._management = management
        quoted = [urllib.parse.quote_plus(part) for part in (client_id, secret)]
        self._basic = base64.b64encode(":".join(quoted).encode()).decode()
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def add(self, name: str, email: str, password: str) -> dict:
        emails = [{"value": email, "type": "work", "primary": True}]
        return self._call("POST", "/Users", {"userName": name, "emails": emails, "password": password})

    def show(self, sub: str) -> dict:
        return self._call("GET", self._path(sub))

    def page(self, cursor: str) -> dict:
        """The next accounts; `nextCursor` leads on. It begins with an empty cursor (RFC 9865)."""
        return self._call("GET", f"/Users?{urllib.parse.urlencode({'cursor': cursor, 'count': 100})}")

    def find(self, email: str) -> list[dict]:
        wanted = f"emails.value eq {json.dumps(email)}"
        return self._call("GET", f"/Users?{urllib.parse.urlencode({'filter': wanted})}")["Resources"]

    def change(self, sub: str, **values: object) -> dict:
        """Replaces what is named: `active=False` lets the user in no more, and ends every session."""
        operations = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
        return self._call("PATCH", self._path(sub), {"schemas": [PATCH], "Operations": operations})

    def remove(self, sub: str) -> None:
        self._call("DELETE", self._path(sub))

    @staticmethod
    def _path(sub: str) -> str:
        return f"/Users/{urllib.parse.quote(sub, safe='')}"

    def _call(self, method: str, path: str, body: dict | None = None) -> dict:
        if body is not None:
            body = {"schemas": [USER], **body}
        url = f"{self._management}/scim/v2{path}"
        try:
            return self._send(method, url, {"Authorization": f"Bearer {self._bearer()}"}, body)
        except Refused as refused:
            if refused.status != 401:
                raise
        # The token has ended early: its client has a new secret, or the keys were changed.
        self._good_until = 0.0
        return self._send(method, url, {"Authorization": f"Bearer {self._bearer()}"}, body)

    def _bearer(self) -> str:
        """One token for many calls, until half a minute before it ends."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                form = {"grant_type": "client_credentials", "scope": "scim"}
                headers = {"Authorization": f"Basic {self._basic}"}
                answer = self._send("POST", f"{self._issuer}/token", headers, form=form)
                self._token = answer["access_token"]
                self._good_until = time.monotonic() + answer["expires_in"] - 30
            return self._token

    @staticmethod
    def _send(
        method: str, url: str, headers: dict, body: dict | None = None, form: dict | None = None
    ) -> dict:
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers = {**headers, "Content-Type": "application/scim+json"}
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            if error.code == 429 or error.code >= 500:
                raise Unavailable from error
            said = json.loads(error.read() or b"{}")
            raise Refused(error.code, said.get("detail", said.get("error", ""))) from error
        except (OSError, ValueError) as error:
            raise Unavailable from error
