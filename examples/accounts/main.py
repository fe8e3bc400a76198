"""An app whose users have their accounts in Latchkey: it registers, shows, changes and removes them.

It has no users table, no password hash and no code that compares one.
"""

import os
from typing import Annotated

import jwt
from accounts import Accounts, Refused, Unavailable
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, SecretStr

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
AUDIENCE = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")

app = FastAPI(title="Members")
bearer = OAuth2PasswordBearer(tokenUrl=f"{ISSUER}/token")
jwks = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", timeout=5)
accounts = Accounts(
    issuer=ISSUER,
    management=os.environ.get("LATCHKEY_MANAGEMENT", "http://127.0.0.1:3001"),
    client_id=os.environ.get("CLIENT_ID", "members"),
    secret=os.environ["CLIENT_SECRET"],
)


class Registration(BaseModel):
    name: str
    email: str
    password: SecretStr


class Change(BaseModel):
    name: str | None = None
    email: str | None = None


class Member(BaseModel):
    sub: str
    name: str
    email: str | None
    active: bool


class Members(BaseModel):
    members: list[Member]
    cursor: str | None = None


@app.exception_handler(Refused)
def refused(_request: Request, error: Refused) -> JSONResponse:
    """404 and 409 mean the same here; a name or password that isn't good enough is the caller's to mend."""
    status = error.status if error.status in (404, 409) else 422 if error.status == 400 else 500
    detail = error.detail if status != 500 else "Latchkey doesn't let this app in"
    return JSONResponse({"detail": detail}, status)


@app.exception_handler(Unavailable)
def unavailable(_request: Request, _error: Unavailable) -> JSONResponse:
    return JSONResponse({"detail": "try again"}, 503, {"Retry-After": "1"})


def staff(token: Annotated[str, Depends(bearer)]) -> str:
    """Whoever calls, who must have the role `staff`."""
    try:
        key = jwks.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE, leeway=30)
    except jwt.PyJWKClientConnectionError as error:
        raise Unavailable from error
    except jwt.PyJWTError as error:
        raise HTTPException(401, "invalid_token", {"WWW-Authenticate": "Bearer"}) from error
    if "staff" not in claims.get("roles", []):
        raise HTTPException(403, "only for staff")
    return claims["sub"]


def member(user: dict) -> Member:
    email = next((one["value"] for one in user.get("emails", [])), None)
    return Member(sub=user["id"], name=user["userName"], email=email, active=user["active"])


@app.post("/register", status_code=201)
def register(who: Registration) -> Member:
    return member(accounts.add(who.name, who.email, who.password.get_secret_value()))


@app.get("/members", dependencies=[Depends(staff)])
def read_members(email: str | None = None, cursor: str = "") -> Members:
    if email is not None:
        return Members(members=[member(user) for user in accounts.find(email)])
    page = accounts.page(cursor)
    return Members(members=[member(user) for user in page["Resources"]], cursor=page.get("nextCursor"))


@app.get("/members/{sub}", dependencies=[Depends(staff)])
def read_member(sub: str) -> Member:
    return member(accounts.show(sub))


@app.patch("/members/{sub}", dependencies=[Depends(staff)])
def change_member(sub: str, change: Change) -> Member:
    values: dict[str, object] = {}
    if change.name is not None:
        values["userName"] = change.name
    if change.email is not None:
        values["emails"] = [{"value": change.email, "type": "work", "primary": True}]
    return member(accounts.change(sub, **values) if values else accounts.show(sub))


@app.post("/members/{sub}/disable", dependencies=[Depends(staff)])
def disable_member(sub: str) -> Member:
    """The member is let in no more, and every session has ended."""
    return member(accounts.change(sub, active=False))


@app.post("/members/{sub}/enable", dependencies=[Depends(staff)])
def enable_member(sub: str) -> Member:
    return member(accounts.change(sub, active=True))


@app.delete("/members/{sub}", status_code=204, dependencies=[Depends(staff)])
def remove_member(sub: str) -> None:
    accounts.remove(sub)
