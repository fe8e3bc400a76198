"""What FastAPI's security tutorial builds, with its token route gone: its page logs in at TOKEN_URL."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer
from fastapi_offline import FastAPIOffline

ISSUER = os.environ["LATCHKEY_ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]
TOKEN_URL = os.environ["TOKEN_URL"]

app = FastAPIOffline()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl=TOKEN_URL)
jwks = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", timeout=5)


@app.get("/users/me")
def read_users_me(token: Annotated[str, Depends(oauth2_scheme)]):
    try:
        key = jwks.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE, leeway=5)
    except jwt.PyJWTError as error:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from error
    return {"sub": claims["sub"]}
