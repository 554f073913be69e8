"""A department, a browser and a page that listens for faults."""

import copy
import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from apps.accounts.domain import Role
from tests.shell import hospital as department

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"


class UnknownVariable(str):
    """What a template gets for a variable that nobody gave it: an error."""

    __slots__ = ()

    def __contains__(self, key):
        return key == "%s"

    def __mod__(self, name):
        pytest.fail(f"the template asks for an unknown variable: {name}")


@pytest.fixture(autouse=True)
def strict_templates(settings):
    """An unknown variable in a template fails the test instead of showing nothing."""
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["OPTIONS"]["string_if_invalid"] = UnknownVariable("%s")
    settings.TEMPLATES = templates


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def hospital(db, quick_passwords):
    return department.build(datetime.datetime.now(datetime.UTC))  # noqa: TID251


@pytest.fixture
def sign_in(client, hospital):
    def signed_in(role: Role):
        client.force_login(
            hospital.staff[role], backend="django.contrib.auth.backends.ModelBackend"
        )
        return client

    return signed_in


class Watched:
    """A page with everything its console complained about."""

    def __init__(self, page: Page, server: str):
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.emulate_media(reduced_motion="reduce")  # colours are measured at rest
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message):
        # the tests' server has no event loop, so /live/ answers 204 and the page tries again
        if message.type in ("error", "warning") and "/live/" not in message.location["url"]:
            self.complaints.append(f"{message.text} at {message.location['url']}")

    def sign_in(self, role: Role):
        self.page.goto(f"{self.server}/accounts/login/")
        self.page.get_by_label("User name").fill(role.value)
        self.page.get_by_label("Password").fill(department.PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)
        return self.page

    def goto(self, path: str):
        return self.page.goto(f"{self.server}{path}")


@pytest.fixture
def front_end():
    """The built bundle, without which no page has its keys."""
    if not MANIFEST.is_file():
        pytest.fail("the front end is not built: npm ci && npm run build", pytrace=False)


@pytest.fixture
def browser_page(front_end, page: Page, live_server: LiveServer, hospital, settings):
    settings.ISOCENTER_DEMO = True
    watched = Watched(page, live_server.url)
    yield watched
    assert watched.complaints == []
