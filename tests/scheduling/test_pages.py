"""The schedule in a real browser: book, move, cancel by mouse and by keyboard."""

import datetime
import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.scheduling import services
from apps.scheduling.models import Appointment, ScheduledStep
from tests.scheduling.builders import PASSWORD, BusyDay, by_day

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"
SHOTS = os.environ.get("ISOCENTER_SHOTS")
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def busy(db, settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    day = BusyDay(by_day(monkeypatch))
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
        lambda message: (
            complaints.append(message.text)
            if message.type in ("error", "warning")
            and "/live/" not in message.location["url"]
            and "422" not in message.text
            else None
        ),
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


def faults_in_every_dress(page, name):
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            shot(page, f"{name}-{size}-{theme}")
            found += [(name, size, theme, fault) for fault in faults(page)]
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found.append((name, size, theme, "scrolls sideways"))
    return found


def test_pages_have_no_fault(desk, busy, live_server):
    found = faults_in_every_dress(desk, "schedule")
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
        found += faults_in_every_dress(desk, name)
    assert found == []


def centre(element):
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def point(page, room, moment):
    """Where in the window a room has a time."""
    return page.evaluate(
        """([room, moment]) => {
          const grid = document.querySelector('#grid')
          const lane = [...document.querySelectorAll('[data-lane]')]
            .find(l => l.dataset.name === room)
          const row = grid.getBoundingClientRect().height / (Number(grid.dataset.hours) * 12)
          const minutes = (Date.parse(moment) - Date.parse(lane.dataset.midnight)) / 60000
          const scroll = document.querySelector('#day-scroll')
          const y = () => grid.getBoundingClientRect().top
            + ((minutes - Number(grid.dataset.first) * 60) / 5 + .5) * row
          if (y() > innerHeight - 150) scroll.scrollTop += y() - innerHeight + 250
          const box = lane.getBoundingClientRect()
          return [box.left + box.width / 2, y()]
        }""",
        [room, moment.isoformat()],
    )


def drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 8, start[1] + 8)
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def said(page, text):
    """Wait for the toast that says so."""
    expect(page.locator(".toast", has_text=text).last).to_be_visible()


def appointment_of(exam):
    return Appointment.objects.filter(scheduled_steps__requested_procedure=exam).latest("pk")


def start_of(exam):
    return appointment_of(exam).period.lower


def test_book_by_an_offer_and_take_it_back(desk, busy):
    desk.get_by_role("link", name=re.compile("DA SILVA")).click()
    offers = desk.get_by_role("radio")
    expect(offers).to_have_count(3)
    desk.keyboard.press("2")
    expect(offers.nth(1)).to_be_checked()
    room, start = (
        offers.nth(1).get_attribute("data-room"),
        offers.nth(1).get_attribute("data-start"),
    )
    desk.keyboard.press("Enter")
    said(desk, "DA SILVA, Inês: booked")
    step = ScheduledStep.objects.latest("pk")
    assert step.appointment.room_id == int(room)
    assert step.start_at == datetime.datetime.fromisoformat(start)
    expect(desk.locator(f"#step-{step.pk}")).to_be_visible()
    expect(desk.get_by_role("link", name=re.compile("DA SILVA"))).to_have_count(0)
    desk.keyboard.press("u")
    said(desk, "not booked after all")
    expect(desk.locator(f"#step-{step.pk}")).to_have_count(0)
    expect(desk.get_by_role("link", name=re.compile("DA SILVA"))).to_be_visible()
    step.appointment.refresh_from_db()
    assert step.appointment.status == "entered-in-error"


def test_a_slow_panel_is_not_overtaken_by_the_refresh_of_the_old_one(desk, busy):
    desk.get_by_role("link", name=re.compile("DA SILVA")).click()
    expect(desk.get_by_role("radio")).to_have_count(3)
    held = []

    def hold(route):
        """Answer the panel that was opened only once the refresh has asked too, then that."""
        held.append(route)
        for waiting in held if len(held) == 2 else [route] if len(held) > 2 else []:
            waiting.fulfill(response=waiting.fetch())

    desk.route("**/schedule/panel/**", hold)
    desk.keyboard.press("1")
    desk.keyboard.press("Enter")
    said(desk, "DA SILVA, Inês: booked")
    expect(desk.get_by_role("radio")).to_have_count(0)
    assert len(held) >= 2
    desk.evaluate("() => new Promise(done => setTimeout(done, 300))")  # what came late is swapped
    expect(desk.get_by_role("heading", name="Appointment")).to_have_count(0)
    expect(desk.locator("#next-exam")).to_be_visible()


def test_book_by_dragging_from_the_list(desk, busy):
    exam = busy.exam(name="Weber^Monika")
    desk.reload()
    row = desk.get_by_role("link", name=re.compile("WEBER"))
    when = busy.slot + datetime.timedelta(hours=3, minutes=5)
    target = point(desk, "CT 2", when)
    drag(desk, centre(row), target)
    said(desk, "WEBER, Monika: booked CT 2")
    assert start_of(exam) == when
    expect(desk.locator(f"#step-{ScheduledStep.objects.latest('pk').pk}")).to_be_visible()


def test_book_with_the_keyboard_alone(desk, busy):
    desk.keyboard.press("b")
    expect(desk.locator("#book-button")).to_be_visible()
    cursor = desk.locator("#cursor")
    expect(cursor).to_be_visible()
    for _ in range(12):
        desk.keyboard.press("ArrowDown")
        if cursor.evaluate(
            "cursor => cursor === document.activeElement && !('clash' in cursor.dataset)"
        ):
            break
    expect(cursor).to_be_focused()
    label = cursor.get_attribute("aria-label")
    room, clock_time = re.search(r"Book here: (.+), today (\d\d:\d\d)", label).groups()
    expect(desk.locator("#book-button")).to_contain_text(f"Book today {clock_time}")
    desk.keyboard.press("Enter")
    said(desk, f"booked {room}, today {clock_time}")


def test_a_refusal_says_why(desk, busy):
    exam = busy.exam(busy.department.mri, name="Vermeer^Annelies")
    desk.reload()
    row = desk.get_by_role("link", name=re.compile("VERMEER"))
    drag(desk, centre(row), point(desk, "CT 2", busy.slot + datetime.timedelta(hours=3)))
    said(desk, "CT 2 does CT; this exam needs MR.")
    assert not Appointment.objects.filter(scheduled_steps__requested_procedure=exam).exists()
    expect(desk.get_by_role("link", name=re.compile("VERMEER"))).to_be_visible()


def test_move_by_dragging_and_back(desk, busy):
    before = busy.slot + datetime.timedelta(hours=1)
    held = Appointment.objects.get(room__code="CT1", period__startswith=before)
    step = held.scheduled_steps.get()
    item = desk.locator(f"#step-{step.pk}")
    after = busy.slot + datetime.timedelta(hours=3)
    target = point(desk, "CT 2", after)
    drag(desk, centre(item), target)
    said(desk, "moved to CT 2")
    held.refresh_from_db()
    assert held.room.code == "CT2"
    assert abs(held.period.lower - after) <= datetime.timedelta(minutes=15)
    expect(item).to_have_attribute("data-column", "2")
    desk.keyboard.press("u")
    said(desk, "back where it was")
    expect(item).to_have_attribute("data-column", "1")
    held.refresh_from_db()
    assert held.period.lower == before


def test_a_move_onto_a_taken_place_is_put_back(desk, busy):
    first = busy.slot + datetime.timedelta(hours=1)
    held = Appointment.objects.get(room__code="CT1", period__startswith=first)
    item = desk.locator(f"#step-{held.scheduled_steps.get().pk}")
    classes = item.get_attribute("class")
    other = busy.slot + datetime.timedelta(hours=2, minutes=20)
    drag(desk, centre(item), point(desk, "CT 1", other))
    said(desk, "This time was taken in the meantime")
    expect(item).to_have_attribute("class", classes)
    held.refresh_from_db()
    assert held.period.lower == first


def test_move_with_the_keyboard(desk, busy):
    first = busy.slot + datetime.timedelta(hours=2, minutes=15)
    held = Appointment.objects.get(room__code="CT1", period__startswith=first)
    item = desk.locator(f"#step-{held.scheduled_steps.get().pk}")
    item.focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("#booking")).to_contain_text("Appointment")
    desk.keyboard.press("m")
    cursor = desk.locator("#cursor")
    expect(cursor).to_be_focused()
    desk.keyboard.press("ArrowRight")
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Shift+ArrowDown")
    desk.keyboard.press("Enter")
    said(desk, "moved to CT 2")
    held.refresh_from_db()
    assert held.room.code == "CT2"
    assert held.period.lower == first + datetime.timedelta(minutes=20)


def test_escape_leaves_a_move(desk, busy):
    held = Appointment.objects.filter(status="booked", room__code="CT1").latest("period")
    desk.locator(f"#step-{held.scheduled_steps.get().pk}").click()
    desk.get_by_role("link", name="Move M").click()
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Escape")
    expect(desk.locator("#cursor")).to_be_hidden()
    expect(desk.locator(".ap--lifted")).to_have_count(0)


def test_cancel_with_a_reason_and_undo(desk, busy):
    held = Appointment.objects.filter(status="booked", room__code="CT1").latest("period")
    item = desk.locator(f"#step-{held.scheduled_steps.get().pk}")
    item.click()
    expect(desk.get_by_role("heading", name="Appointment")).to_be_visible()
    desk.keyboard.press("x")
    dialog = desk.get_by_role("dialog", name="Cancel this appointment")
    expect(dialog).to_be_visible()
    shot(desk, "cancel")
    assert faults(desk) == []
    dialog.get_by_label("The patient is ill").check()
    dialog.get_by_role("button", name="Cancel the appointment").click()
    said(desk, "cancelled, to be booked again")
    expect(item).to_have_count(0)
    held.refresh_from_db()
    assert (held.status, held.cancel_reason) == ("cancelled", "The patient is ill")
    desk.keyboard.press("u")
    said(desk, "booked again")
    expect(item).to_be_visible()


def test_arrive_from_the_panel(desk, busy):
    held = Appointment.objects.filter(status="booked", room__code="CT1").latest("period")
    desk.locator(f"#step-{held.scheduled_steps.get().pk}").click()
    expect(desk.locator("#booking").get_by_role("button", name="Arrived")).to_be_visible()
    desk.keyboard.press("a")
    said(desk, "arrived")
    expect(desk.locator("#booking")).to_contain_text("Arrived")


def test_the_form_does_all_that_the_grid_does(desk, busy, live_server):
    exam = busy.exam(name="Akhtar^Bilal")
    desk.goto(f"{live_server.url}/schedule/exams/{exam.pk}/")
    desk.get_by_role("radio").nth(3).check()
    desk.get_by_role("button", name="Book the chosen time").click()
    desk.wait_for_url("**view=list*")
    said(desk, "AKHTAR, Bilal: booked")
    booked = start_of(exam)
    desk.get_by_role("link", name="AKHTAR, Bilal").click()
    desk.get_by_role("radio").nth(8).check()
    desk.get_by_role("button", name="Move to the chosen time").click()
    said(desk, "moved to")
    assert start_of(exam) != booked
    desk.get_by_role("link", name="AKHTAR, Bilal").click()
    desk.get_by_label("Why").fill("On holiday")
    desk.get_by_role("button", name="Cancel the appointment").click()
    said(desk, "cancelled")
    assert appointment_of(exam).status == "cancelled"


def test_days_are_turned_with_keys(desk, busy):
    today = desk.locator("h1").text_content()
    desk.keyboard.press("Shift+ArrowRight")
    desk.wait_for_url("**date=*")
    expect(desk.locator("h1")).not_to_have_text(today)
    desk.keyboard.press("t")
    expect(desk.locator("h1")).to_have_text(today)


def test_a_hidden_patient_is_a_taken_place_and_nothing_more(client, busy):
    held = Appointment.objects.filter(status="booked", room__code="CT1").latest("period")
    patient = held.scheduled_steps.get().requested_procedure.order.patient
    patient.confidentiality = "V"
    patient.save()
    client.force_login(
        busy.staff[Role.SCHEDULER], backend="django.contrib.auth.backends.ModelBackend"
    )
    content = client.get("/schedule/").content.decode()
    assert "data-taken" in content
    assert patient.family_name.upper() not in content
    assert f"step-{held.scheduled_steps.get().pk}" not in content


def test_a_day_costs_few_queries(client, busy, django_assert_max_num_queries):
    client.force_login(
        busy.staff[Role.SCHEDULER], backend="django.contrib.auth.backends.ModelBackend"
    )
    with django_assert_max_num_queries(24):
        client.get("/schedule/")


def test_a_role_that_does_not_schedule_sees_no_buttons(client, busy):
    client.force_login(
        busy.staff[Role.TECHNOLOGIST], backend="django.contrib.auth.backends.ModelBackend"
    )
    answer = client.get("/schedule/")
    assert answer.status_code == 200
    assert b"data-movable" not in answer.content
    held = Appointment.objects.filter(status="booked").latest("pk")
    answer = client.post(f"/schedule/appointments/{held.pk}/cancel/", {"reason": "x"})
    assert answer.status_code == 403
    services.appointment_arrive(
        actor=busy.department.technologist, appointment_id=held.pk, at=busy.now
    )
