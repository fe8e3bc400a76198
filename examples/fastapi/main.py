"""A FastAPI resource server. Latchkey knows the users and hands out the tokens; this app only checks them."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from status_list import LEEWAY_SECONDS, StatusLists, StatusListUnavailable

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
AUDIENCE = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")
CLIENT_ID = os.environ.get("DOCS_CLIENT_ID", "demo")

app = FastAPI(title="Orders", docs_url=None, redoc_url=None)
oauth2_scheme = OAuth2PasswordBearer(
    tokenUrl=f"{ISSUER}/token",
    scopes={"orders:read": "See your orders.", "orders:write": "Place orders."},
)
# Kept for five minutes; Latchkey publishes a key a week before it signs with it.
jwks = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", timeout=5)
status_lists = StatusLists(ISSUER, jwks)


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


def verified_claims(token: str) -> dict:
    """The claims of a token that Latchkey signed for us (RFC 9068 section 4).

    Raises a PyJWTError for any other.
    """
    decoded = jwt.decode_complete(
        token,
        jwks.get_signing_key_from_jwt(token),
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "sub", "aud", "exp", "iat"]},
    )
    if str(decoded["header"].get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
        raise jwt.InvalidTokenError("not an access token")
    if status_lists.is_revoked(decoded["payload"]):
        raise jwt.InvalidTokenError("revoked")
    return decoded["payload"]


def get_current_user(security_scopes: SecurityScopes, token: Annotated[str, Depends(oauth2_scheme)]) -> User:
    """The bearer of the token, who must have every scope that the route asks for.

    Refusals are those of RFC 6750.
    """
    try:
        claims = verified_claims(token)
    except (jwt.PyJWKClientConnectionError, StatusListUnavailable) as error:
        # That keys or lists can't be had says nothing about the token: the client must not throw it away.
        detail = "keys or status lists can't be fetched"
        raise HTTPException(503, detail, headers={"Retry-After": "5"}) from error
    except jwt.PyJWTError as error:
        challenge = 'Bearer error="invalid_token", error_description="The access token is not valid here"'
        raise HTTPException(401, "invalid_token", headers={"WWW-Authenticate": challenge}) from error
    user = User(
        sub=claims["sub"],
        scopes=claims.get("scope", "").split(),
        roles=claims.get("roles", []),
        tenant=claims.get("tenant"),
        email=claims.get("email"),
    )
    if not set(security_scopes.scopes).issubset(user.scopes):
        challenge = f'Bearer error="insufficient_scope", scope="{security_scopes.scope_str}"'
        raise HTTPException(403, "insufficient_scope", headers={"WWW-Authenticate": challenge})
    return user


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
