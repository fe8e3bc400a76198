"""The pages of self-service, by FastAPI. Latchkey does the work and sends the mails; this app has files."""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    f"connect-src 'self' {ISSUER}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

app = FastAPI(title="Self-service", docs_url=None, redoc_url=None)


@app.middleware("http")
async def guard(request, call_next):
    """A link with a ticket opens this page: nothing else may run in it, and it says nobody where it is."""
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@app.get("/settings.json")
def settings() -> dict:
    return {"issuer": ISSUER, "client": "web"}


@app.get("/")
@app.get("/verify")
@app.get("/reset")
def page() -> FileResponse:
    """One page for all: a GET uses no ticket up, whoever opens the link first."""
    return FileResponse(PAGE / "index.html")


app.mount("/", StaticFiles(directory=PAGE))
