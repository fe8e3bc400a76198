"""Writes users as other systems do, into the database at DATABASE.

Django's own migrations and models; Flask's users as its documentation makes them, by SQLAlchemy and Werkzeug.
PASSWORD is everybody's; CHANGED, where it is given, is set for ann by the same libraries instead.
"""

import os
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
from sqlalchemy import Boolean, String, create_engine, select  # noqa: E402
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


driver = "postgresql+psycopg" if is_postgres else "mysql+pymysql"
engine = create_engine(os.environ["DATABASE"].replace(database.scheme, driver, 1))


def write() -> None:
    call_command("migrate", verbosity=0)
    User.objects.create_user("ann", "ann@example.com", PASSWORD)
    User.objects.create_user("gone", "gone@example.com", PASSWORD, is_active=False)
    User.objects.create_user("nobody", "nobody@example.com", None)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for name, active in (("ann", True), ("gone", False)):
            hashed = generate_password_hash(PASSWORD)
            email = f"{name}@example.com"
            session.add(FlaskUser(username=name, email=email, password_hash=hashed, active=active))
        session.commit()


def change(password: str) -> None:
    user = User.objects.get(username="ann")
    user.set_password(password)
    user.save()
    with Session(engine) as session:
        session.scalars(select(FlaskUser).filter_by(username="ann")).one().password_hash = (
            generate_password_hash(password)
        )
        session.commit()


if CHANGED is None:
    write()
else:
    change(CHANGED)
