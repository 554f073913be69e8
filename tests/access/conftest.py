"""The world of the table, built once, and a way to ask it that leaves nothing behind."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from apps.accounts.models import User
from tests.access.asking import Asker
from tests.access.world import World, build
from tests.reading.builders import PASSWORD

QUICK = "django.contrib.auth.hashers.MD5PasswordHasher"
SLOW = "django.contrib.auth.hashers.ScryptPasswordHasher"  # of what the builders made


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Both sites, in one transaction that is rolled back after the module."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic._from_testcase = True  # as Django's TestCase: commands may be durable within
        with atomic:
            made = build()  # outside: its password's hash is kept for the tests that come later
            with override_settings(PASSWORD_HASHERS=[QUICK, SLOW]):
                User.objects.update(password=make_password(PASSWORD))
                yield made
            transaction.set_rollback(True)


@pytest.fixture(scope="module")
def asker(world: World) -> Asker:
    """The people of the table, each with a browser of their own."""
    clients = {"token": Client(headers={"Authorization": f"Bearer {world.token}"})}
    clients["nobody"] = Client()
    for name, user in world.people.items():
        clients[name] = Client()
        user.refresh_from_db()  # a session is bound to the password
        clients[name].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return Asker(world, clients)
