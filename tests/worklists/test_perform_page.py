"""The technologist's page in a real browser: call in, start, end, stop, take back."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.core import clock
from apps.scheduling.models import ScheduledStep
from apps.studies.models import Study, StudyMatch
from tests.scheduling.builders import PASSWORD, BusyDay, by_day

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"
SHOTS = os.environ.get("ISOCENTER_SHOTS")


@pytest.fixture
def busy(db, settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    day = BusyDay(by_day(monkeypatch))
    day.fill()
    return day


@pytest.fixture
def console(busy, page, live_server):
    """The page of CT 1, as the technologist."""
    if not MANIFEST.is_file():
        pytest.fail("the front end is not built: npm ci && npm run build", pytrace=False)
    complaints = []
    page.emulate_media(reduced_motion="reduce")
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in ("error", "warning") and "/live/" not in message.location["url"]
            else None
        ),
    )
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{live_server.url}/accounts/login/?next=/perform/")
    page.get_by_label("User name").fill(Role.TECHNOLOGIST.value)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/perform/\d+/$"))
    yield page
    assert complaints == []


def said(page, text):
    expect(page.locator(".toast", has_text=text).last).to_be_visible()


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(v["impact"], v["id"], [n["target"] for n in v["nodes"]]) for v in found]


def in_every_dress(page, name):
    found = []
    sizes = {"desk": (1440, 900), "tablet": (1180, 820), "phone": (390, 844)}
    for size, (width, height) in sizes.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            if SHOTS:
                page.screenshot(path=f"{SHOTS}/{name}-{size}-{theme}.png")
            found += [(name, size, theme, fault) for fault in faults(page)]
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found.append((name, size, theme, "scrolls sideways"))
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


def step_of(page):
    action = page.locator(".tk__act").first.get_attribute("action")
    return ScheduledStep.objects.get(pk=re.search(r"steps/(\d+)/", action).group(1))


def with_images(step, images=614):
    """Images of the exam, all here."""
    exam = step.requested_procedure
    now = clock.now()
    study = Study.objects.create(
        site=exam.order.site,
        patient=exam.order.patient,
        study_instance_uid=exam.study_instance_uid,
        modalities_in_study=["CT"],
        number_of_series=1,
        number_of_instances=images,
        completeness="COMPLETE",
        first_received_at=now,
        last_received_at=now,
    )
    StudyMatch.objects.create(
        study=study,
        requested_procedure=exam,
        score=100,
        reason="study-instance-uid",
        matched_by="system:test",
        matched_at=now,
    )


def test_page_has_no_fault(console, busy, live_server):
    running = ScheduledStep.objects.get(status="STARTED")
    with_images(running)
    order = running.requested_procedure.order
    order.priority, order.reason = "urgent", "Right lower quadrant pain, 2 days, fever 38.4."
    order.save()
    console.reload()
    expect(console.locator("#main")).to_contain_text("614")
    found = in_every_dress(console, "perform")
    waiting = ScheduledStep.objects.filter(status="ARRIVED").first()
    console.goto(f"{live_server.url}/perform/{busy.department.ct1.pk}/?step={waiting.pk}")
    expect(console.locator("#room")).to_contain_text("exam not ended")
    found += in_every_dress(console, "perform-waiting")
    console.goto(f"{live_server.url}/perform/{busy.department.ct1.pk}/walk-in/")
    found += in_every_dress(console, "walk-in")
    assert found == []


def test_from_arrival_to_the_end(console, busy):
    """One exam after the other, with the keys of the page."""
    assert step_of(console).status == "STARTED"
    console.keyboard.press("e")
    said(console, "exam ended")
    waiting = ScheduledStep.objects.get(status="ARRIVED")
    console.get_by_role("link", name=re.compile("^Call in")).first.click()
    expect(console.locator(".tk__act").first).to_have_attribute(
        "action", f"/perform/steps/{waiting.pk}/start/"
    )
    console.get_by_role("button", name="Ready").click()
    said(console, "ready")
    console.get_by_role("button", name="Start exam").click()
    said(console, "exam started")
    expect(console.locator(".tk__acts")).to_contain_text("End exam")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.status_source) == ("STARTED", "person")
    console.get_by_role("button", name="End exam").click()
    said(console, "exam ended")
    waiting.refresh_from_db()
    assert waiting.status == "COMPLETED"
    console.keyboard.press("u")
    said(console, "taken back")
    waiting.refresh_from_db()
    assert waiting.status == "STARTED"


def test_stop_early_asks_why(console, busy):
    step = step_of(console)
    console.get_by_role("button", name="Stop early").click()
    dialog = console.get_by_role("dialog", name="Stop this exam early")
    expect(dialog).to_be_visible()
    assert faults(console) == []
    dialog.get_by_label("Fault of the scanner").check()
    dialog.get_by_role("button", name="Stop the exam").click()
    said(console, "exam stopped early")
    step.refresh_from_db()
    assert (step.status, step.discontinuation_reason) == ("DISCONTINUED", "Fault of the scanner")
    step.requested_procedure.order.refresh_from_db()
    assert step.requested_procedure.order.status == "DC"


def test_a_walk_in_is_taken(console, busy):
    exam = busy.exam(name="Kovacs^Márta")
    console.keyboard.press("w")
    console.get_by_role("button", name=re.compile("KOVACS")).click()
    said(console, "KOVACS, Márta: here, without appointment")
    step = exam.scheduled_steps.get()
    assert (step.status, step.appointment_id) == ("ARRIVED", None)
    expect(console.locator("h1")).to_contain_text("KOVACS")


def test_the_scanner_s_own_step_is_shown(console, busy):
    from apps.accounts.models import ApplicationEntity
    from apps.accounts.selectors import actor_for_ae
    from apps.worklists import services
    from tests.worklists.test_performed_steps import creation

    ApplicationEntity.objects.create(
        ae_title="CT1", host="127.0.0.1", port=1, site=busy.department.site
    )
    step = ScheduledStep.objects.get(status="ARRIVED")
    services.performed_step_create(
        actor=actor_for_ae("CT1", "127.0.0.1").actor, attributes=creation(step), at=clock.now()
    )
    console.goto(f"{console.url.split('?')[0]}?step={step.pk}")
    expect(console.locator("#main")).to_contain_text("by the scanner")
    expect(console.locator("#main")).to_contain_text("In progress")
    expect(console.get_by_role("button", name="Not begun")).to_have_count(0)


def test_a_room_costs_few_queries(client, busy, django_assert_max_num_queries):
    client.force_login(
        busy.staff[Role.TECHNOLOGIST], backend="django.contrib.auth.backends.ModelBackend"
    )
    with django_assert_max_num_queries(26):
        client.get(f"/perform/{busy.department.ct1.pk}/")
