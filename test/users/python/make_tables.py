"""Writes users as other systems do, into the database at DATABASE.

Django's own migrations and models; Flask's users as its documentation makes them, by SQLAlchemy and Werkzeug;
fastapi-users by its own user manager. PASSWORD is everybody's; CHANGED, where it is given, is set for ann by
the same libraries instead, and late signs up.
"""

import asyncio
import os
import uuid
from urllib.parse import urlsplit

import django
import pymysql
from django.conf import settings

PASSWORD, CHANGED = os.environ["PASSWORD"], os.environ.get("CHANGED")
database = urlsplit(os.environ["DATABASE"])
is_postgres = database.scheme.startswith("postgres")
# Django asks for a version of mysqlclient.
pymysql.version_info = (2, 2, 7, "final", 0)
pymysql.install_as_MySQLdb()

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={
        "default": {
            "ENGINE": f"django.db.backends.{'postgresql' if is_postgres else 'mysql'}",
            "NAME": database.path[1:],
            "USER": database.username,
            "PASSWORD": database.password or "",
            "HOST": database.hostname,
            "PORT": database.port,
        }
    },
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from fastapi_users import BaseUserManager, UUIDIDMixin, schemas  # noqa: E402
from fastapi_users_db_sqlalchemy import (  # noqa: E402
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from sqlalchemy import Boolean, String, create_engine, select  # noqa: E402
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine  # noqa: E402
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column  # noqa: E402
from werkzeug.security import generate_password_hash  # noqa: E402


class Base(DeclarativeBase):
    pass


class FlaskUser(Base):
    __tablename__ = "flask_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    email: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(256))
    active: Mapped[bool] = mapped_column(Boolean)


class FastapiBase(DeclarativeBase):
    pass


class FastapiUser(SQLAlchemyBaseUserTableUUID, FastapiBase):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[FastapiUser, uuid.UUID]):
    pass


def engine_url(driver: str) -> str:
    return os.environ["DATABASE"].replace(database.scheme, driver, 1)


engine = create_engine(engine_url("postgresql+psycopg" if is_postgres else "mysql+pymysql"))


def add_flask(session: Session, name: str, active: bool = True) -> None:
    hashed = generate_password_hash(PASSWORD)
    email = f"{name}@example.com"
    session.add(FlaskUser(username=name, email=email, password_hash=hashed, active=active))


async def in_fastapi_users(work) -> None:
    engine = create_async_engine(engine_url("postgresql+psycopg" if is_postgres else "mysql+aiomysql"))
    async with engine.begin() as connection:
        await connection.run_sync(FastapiBase.metadata.create_all)
    async with AsyncSession(engine) as session:
        await work(UserManager(SQLAlchemyUserDatabase(session, FastapiUser)))
    await engine.dispose()


def sign_up(manager: UserManager, email: str):
    return manager.create(schemas.BaseUserCreate(email=email, password=PASSWORD))


async def write_fastapi_users(manager: UserManager) -> None:
    await sign_up(manager, "Ann@example.com")
    gone = await sign_up(manager, "gone@example.com")
    await manager.update(schemas.BaseUserUpdate(is_active=False), gone)


def write() -> None:
    call_command("migrate", verbosity=0)
    User.objects.create_user("ann", "ann@example.com", PASSWORD, first_name="Ann", last_name="Other")
    User.objects.create_user("gone", "gone@example.com", PASSWORD, is_active=False)
    User.objects.create_user("nobody", "nobody@example.com", None)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        add_flask(session, "ann")
        add_flask(session, "gone", active=False)
        session.commit()
    asyncio.run(in_fastapi_users(write_fastapi_users))


def change(password: str) -> None:
    user = User.objects.get(username="ann")
    user.set_password(password)
    user.save()
    User.objects.create_user("late", "late@example.com", PASSWORD)
    with Session(engine) as session:
        session.scalars(select(FlaskUser).filter_by(username="ann")).one().password_hash = (
            generate_password_hash(password)
        )
        add_flask(session, "late")
        session.commit()

    async def work(manager: UserManager) -> None:
        ann = await manager.get_by_email("ann@example.com")
        await manager.update(schemas.BaseUserUpdate(password=password), ann)
        await sign_up(manager, "late@example.com")

    asyncio.run(in_fastapi_users(work))


if CHANGED is None:
    write()
else:
    change(CHANGED)
