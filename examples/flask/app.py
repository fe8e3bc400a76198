"""A Flask resource server. Latchkey knows the users and hands out the tokens; this app only checks them."""

import os

from flask import Flask, jsonify, request
from latchkey_verifier.flask import Latchkey

# What a database would hold.
ORDERS_BY_TENANT = {
    "acme": [{"id": 1, "item": "a lamp"}, {"id": 2, "item": "a desk"}],
    "globex": [{"id": 3, "item": "a chair"}],
}

app = Flask(__name__)
latchkey = Latchkey(
    issuer=os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000"),
    audience=os.environ.get("AUDIENCE", "http://127.0.0.1:8000"),
    public_url=os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
)


@app.get("/users/me")
@latchkey.needs()
def read_users_me():
    # A machine has neither tenant nor e-mail.
    bearer = latchkey.bearer
    return {
        "sub": bearer.sub,
        "scopes": bearer.scopes,
        "roles": bearer.roles,
        "tenant": bearer.claims.get("tenant"),
        "email": bearer.claims.get("email"),
    }


@app.get("/orders")
@latchkey.needs("orders:read")
def read_orders():
    return jsonify([{"id": 1, "item": f"a lamp for {latchkey.bearer.sub}"}])


@app.get("/tenant/orders")
@latchkey.needs("orders:read")
def read_tenant_orders():
    """The orders of the caller's tenant, which the token names and no parameter can."""
    tenant = latchkey.bearer.claims.get("tenant")
    if tenant is None:
        return {"detail": "the token names no tenant"}, 403
    return jsonify(ORDERS_BY_TENANT.get(tenant, []))


@app.post("/orders")
@latchkey.needs("orders:write")
def create_order():
    return request.get_json(), 201
