"""Notes: everybody sees their own, and whoever has the role `admin` sees all of them.

Latchkey knows the users. This app keeps notes, and has neither passwords nor sessions.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from latchkey_verifier.fastapi import Bearer, Latchkey
from pydantic import BaseModel, Field

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
AUDIENCE = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")
DATABASE = Path(__file__).parent / "data" / "notes.db"
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    f"connect-src 'self' {ISSUER}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

app = FastAPI(title="Notes", openapi_url=None)
latchkey = Latchkey(issuer=ISSUER, audience=AUDIENCE)

# Who calls: a user by the page, or the worker. Neither has the other's scope.
User = Annotated[Bearer, Security(latchkey, scopes=["notes"])]
Worker = Annotated[Bearer, Security(latchkey, scopes=["notes:count"])]


def is_admin(user: Bearer) -> bool:
    return "admin" in user.roles


def admin(user: User) -> Bearer:
    if not is_admin(user):
        raise HTTPException(403, "only for admins")
    return user


Admin = Annotated[Bearer, Depends(admin)]


class Me(BaseModel):
    nickname: str
    admin: bool


class Text(BaseModel):
    text: str = Field(min_length=1, max_length=2000)


class Words(BaseModel):
    words: int = Field(ge=0)


class Note(BaseModel):
    id: int
    author: str
    text: str
    # None until the worker has counted them.
    words: int | None


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """One transaction; it is undone where the caller fails."""
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.row_factory = lambda cursor, row: dict(zip((c[0] for c in cursor.description), row))
        yield connection


with database() as db:
    db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, owner, author, text, words)")


@app.middleware("http")
async def guard(request, call_next):
    """The page has tokens: no script but its own runs in it, and it talks to nobody but these two."""
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def nickname_of(user: Bearer) -> str:
    return user.claims.get("nickname", "somebody")


@app.get("/me")
def read_me(user: User) -> Me:
    return Me(nickname=nickname_of(user), admin=is_admin(user))


@app.get("/notes")
def read_notes(user: User) -> list[Note]:
    with database() as db:
        return db.execute("SELECT * FROM notes WHERE owner = ? ORDER BY id DESC", [user.sub]).fetchall()


@app.post("/notes", status_code=201)
def add_note(note: Text, user: User) -> Note:
    with database() as db:
        # The owner is `sub`: it stays when a name changes, and never becomes somebody else's.
        return db.execute(
            "INSERT INTO notes (owner, author, text) VALUES (?, ?, ?) RETURNING *",
            [user.sub, nickname_of(user), note.text],
        ).fetchone()


@app.delete("/notes/{number}", status_code=204)
def remove_note(number: int, user: User) -> None:
    """Somebody else's note is answered as one that isn't there, but to an admin, who may remove it."""
    with database() as db:
        removed = db.execute(
            "DELETE FROM notes WHERE id = ? AND (owner = ? OR ?)", [number, user.sub, is_admin(user)]
        )
        if removed.rowcount == 0:
            raise HTTPException(404, "no such note")


@app.get("/everybody/notes")
def read_notes_of_everybody(_admin: Admin) -> list[Note]:
    with database() as db:
        return db.execute("SELECT * FROM notes ORDER BY id DESC LIMIT 100").fetchall()


@app.get("/uncounted")
def read_uncounted(_worker: Worker) -> list[Note]:
    with database() as db:
        return db.execute("SELECT * FROM notes WHERE words IS NULL LIMIT 100").fetchall()


@app.put("/uncounted/{number}", status_code=204)
def set_words(number: int, counted: Words, _worker: Worker) -> None:
    with database() as db:
        db.execute("UPDATE notes SET words = ? WHERE id = ?", [counted.words, number])


@app.get("/settings.json")
def settings() -> dict:
    return {"issuer": ISSUER, "audience": AUDIENCE, "client": "page"}


@app.get("/")
def page() -> FileResponse:
    return FileResponse(PAGE / "index.html")


app.mount("/", StaticFiles(directory=PAGE))
