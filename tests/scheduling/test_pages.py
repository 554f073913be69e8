"""The schedule in a real browser: book, move, cancel by mouse and by keyboard."""

import datetime
import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.core import clock
from apps.scheduling import services
from apps.scheduling.models import Appointment, ScheduledStep
from tests.scheduling.builders import PASSWORD, BusyDay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"
SHOTS = os.environ.get("ISOCENTER_SHOTS")
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def busy(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    now = clock.now()
    if now.hour >= 19:  # the day of the tests must hold what they book after now
        now = now.replace(hour=18)
    day = BusyDay(now)
    day.fill()
    return day


@pytest.fixture
def desk(busy, page, live_server):
    """The schedule, open at 1440 px, as the scheduler."""
    if not MANIFEST.is_file():
        pytest.fail("the front end is not built: npm ci && npm run build", pytrace=False)
    complaints = []
    page.emulate_media(reduced_motion="reduce")
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text)
        if message.type in ("error", "warning")
        and "/live/" not in message.location["url"]
        and "422" not in message.text
        else None,
    )
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{live_server.url}/accounts/login/?next=/schedule/")
    page.get_by_label("User name").fill(Role.SCHEDULER.value)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/schedule/")
    yield page
    assert complaints == []


def shot(page, name):
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(v["impact"], v["id"], [n["target"] for n in v["nodes"]]) for v in found]


def no_fault(page, name):
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            shot(page, f"{name}-{size}-{theme}")
            assert faults(page) == [], (size, theme)
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0, (size, theme)


def test_pages_have_no_fault(desk, busy, live_server):
    no_fault(desk, "schedule")
    exam = busy.exam()
    booked = Appointment.objects.filter(status="booked").first()
    today = busy.now.date()
    for name, path in (
        ("exam-chosen", f"/schedule/?exam={exam.pk}"),
        ("appointment-chosen", f"/schedule/?appointment={booked.pk}"),
        ("list", f"/schedule/?view=list&date={today}"),
        ("week", "/schedule/?view=week"),
        ("exam", f"/schedule/exams/{exam.pk}/"),
        ("appointment", f"/schedule/appointments/{booked.pk}/"),
    ):
        desk.goto(f"{live_server.url}{path}")
        no_fault(desk, name)
