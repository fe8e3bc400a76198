"""A FastAPI resource server. Latchkey knows the users and hands out the tokens; this app only checks them."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from latchkey_verifier.fastapi import Bearer, Latchkey
from pydantic import BaseModel

CLIENT_ID = os.environ.get("DOCS_CLIENT_ID", "demo")

app = FastAPI(title="Orders", docs_url=None, redoc_url=None)
latchkey = Latchkey(
    issuer=os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000"),
    audience=os.environ.get("AUDIENCE", "http://127.0.0.1:8000"),
    public_url=os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
    scopes={"orders:read": "See your orders.", "orders:write": "Place orders."},
)


class User(BaseModel):
    """Whoever calls: a person, or a machine, which has neither tenant nor e-mail."""

    sub: str
    scopes: list[str] = []
    roles: list[str] = []
    tenant: str | None = None
    email: str | None = None


class Order(BaseModel):
    id: int
    item: str


# What a database would hold.
orders_by_tenant = {
    "acme": [Order(id=1, item="a lamp"), Order(id=2, item="a desk")],
    "globex": [Order(id=3, item="a chair")],
}


def get_current_user(bearer: Annotated[Bearer, Depends(latchkey)]) -> User:
    """The bearer of the token, who has every scope that the route asks for."""
    return User(
        sub=bearer.sub,
        scopes=bearer.scopes,
        roles=bearer.roles,
        tenant=bearer.claims.get("tenant"),
        email=bearer.claims.get("email"),
    )


@app.get("/users/me")
def read_users_me(user: Annotated[User, Depends(get_current_user)]) -> User:
    return user


@app.get("/orders")
def read_orders(user: Annotated[User, Security(get_current_user, scopes=["orders:read"])]) -> list[Order]:
    return [Order(id=1, item=f"a lamp for {user.sub}")]


@app.get("/tenant/orders")
def read_tenant_orders(
    user: Annotated[User, Security(get_current_user, scopes=["orders:read"])],
) -> list[Order]:
    """The orders of the caller's tenant, which the token names and no parameter can."""
    if user.tenant is None:
        raise HTTPException(403, "the token names no tenant")
    return orders_by_tenant.get(user.tenant, [])


@app.post("/orders", status_code=201)
def create_order(
    order: Order,
    user: Annotated[User, Security(get_current_user, scopes=["orders:write"])],
) -> Order:
    return order


# FastAPI's page as its docs show it for self-hosting: one that asks for a password loads no script from
# elsewhere.
app.mount("/static", StaticFiles(packages=[("fastapi_offline", "static")]))


@app.get("/docs", include_in_schema=False)
def docs():
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Orders",
        swagger_js_url="/static/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger-ui.css",
        swagger_favicon_url="/static/favicon.png",
        init_oauth={"clientId": CLIENT_ID},
    )
