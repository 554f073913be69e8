"""Writing, signing and adding to a report in a real browser."""

import pytest
from playwright.sync_api import expect

from apps.core import clock
from apps.reports import services
from apps.reports.models import KeptText, Report, ReportMacro
from tests.reading.builders import PASSWORD
from tests.reports.writing import addend, draft, preliminary, sections, sign

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def open_report(watched, room, item=None):
    item = item or room.item()
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    page.keyboard.press("r")
    page.wait_for_url("**/reports/*/")
    return page


def write(page, section, text):
    page.get_by_role("textbox", name=section).click()
    page.keyboard.type(text)


def saved(page):
    expect(page.locator("#save-state")).to_contain_text("Saved", timeout=10_000)


def give_password(page, password):
    dialog = page.locator("#sign-dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Your password").fill(password)
    dialog.get_by_role("button", name="Sign", exact=True).click()


def test_write_autosave_sign_addend(watched, committed_room):
    room = committed_room
    page = open_report(watched, room)
    write(page, "Findings", "Filling defect, right main artery.")
    page.keyboard.press("Alt+5")
    page.keyboard.type("1. Embolism.")
    page.keyboard.press("Enter")
    page.keyboard.type("Nodule.")
    saved(page)
    report = Report.objects.get()
    texts = {s["key"]: s["text"] for s in report.draft_sections}
    assert texts["findings"] == "Filling defect, right main artery."
    assert texts["impression"] == "1. Embolism.\n2. Nodule."
    page.keyboard.press("Control+Enter")
    give_password(page, "not the password")
    expect(page.locator("#sign-error")).to_contain_text("not your password")
    report.refresh_from_db()
    assert report.status == "registered"
    watched.complaints.clear()  # the browser logs the refusal's 422
    give_password(page, PASSWORD)
    expect(page.locator(".track [aria-current=step]")).to_contain_text("Final")
    report.refresh_from_db()
    assert report.status == "final"
    page.get_by_role("button", name="Add an addendum").click()
    write(page, "Addendum", "Compared with Eastfield.")
    page.keyboard.press("Control+Enter")
    give_password(page, PASSWORD)
    expect(page.locator(".track [aria-current=step]")).to_contain_text("Addended")
    expect(page.locator("#main")).to_contain_text("Compared with Eastfield.")
    report.refresh_from_db()
    assert [v.status for v in report.versions.order_by("number")] == ["final", "appended"]


def test_preliminary_by_key(watched, committed_room):
    page = open_report(watched, committed_room)
    write(page, "Impression", "Normal.")
    page.keyboard.press("Control+Shift+Enter")
    expect(page.locator(".track [aria-current=step]")).to_contain_text("Preliminary")
    assert Report.objects.get().status == "preliminary"


def test_text_survives_a_crash_while_the_server_is_away(watched, committed_room):
    page = open_report(watched, committed_room)
    page.route("**/draft/", lambda route: route.abort())
    write(page, "Findings", "Never sent.")
    expect(page.locator("#save-state")).to_contain_text("kept on this desk", timeout=10_000)
    watched.complaints.clear()  # the aborted requests
    page.unroute("**/draft/")
    page.reload()
    expect(page.get_by_role("textbox", name="Findings")).to_have_text("Never sent.")
    saved(page)
    expect(page.locator("#save-state")).to_contain_text("Nothing you type is lost")


def test_second_page_keeps_its_text_beside_the_first(watched, committed_room):
    room = committed_room
    page = open_report(watched, room)
    report = Report.objects.get()
    services.report_autosave(
        actor=room.actor(room.falk),
        report_id=report.pk,
        revision=report.draft_revision,
        sections=sections(findings="From another page"),
        page="other",
        at=clock.now(),
    )
    write(page, "Findings", "From this page")
    expect(page.locator("#save-state")).to_contain_text("kept beside it", timeout=10_000)
    watched.complaints.clear()  # the browser logs the conflict's 409
    page.reload()
    expect(page.locator(".note--attn").first).to_contain_text("From this page")
    page.get_by_role("button", name="Put it in place of this one").click()
    expect(page.get_by_role("textbox", name="Findings")).to_have_text("From this page")
    assert KeptText.objects.get().settled_at


def test_macro_and_fields(watched, committed_room):
    ReportMacro.objects.create(shortcut="nod", title="Nodule", text="Nodule of [size] mm, [side].")
    page = open_report(watched, committed_room)
    write(page, "Findings", "Seen: .nod ")
    field = page.get_by_role("textbox", name="Findings")
    expect(field).to_have_text("Seen: Nodule of [size] mm, [side].")
    page.keyboard.press("Control+Home")
    page.keyboard.press("Tab")
    page.keyboard.type("8")
    page.keyboard.press("Tab")
    page.keyboard.type("left")
    expect(field).to_have_text("Seen: Nodule of 8 mm, left.")
    expect(page.locator("#checks")).to_contain_text("No choice is open")


@pytest.mark.parametrize("state", ["draft", "preliminary", "final", "version", "compared"])
def test_page_has_no_fault(watched, committed_room, state):
    room = committed_room
    report = draft(room, findings="Seen:\n- one\n- two, [side]", impression="1. Embolism.")
    path = f"/reports/{report.pk}/"
    if state == "preliminary":
        preliminary(room, report)
    if state in {"final", "version", "compared"}:
        report = draft(room)
        sign(room, report)
        addend(room, report)
        path = f"/reports/{report.pk}/"
    if state == "version":
        path += "versions/1/"
    if state == "compared":
        path += "versions/2/?with=1"
    page = watched.sign_in(room.falk)
    watched.goto(path)
    expect(page.locator("h1")).to_contain_text("OKONKWO, Adaeze")
    assert watched.faults_in_every_dress() == []


def test_another_reader_sees_and_does_not_write(watched, committed_room):
    room = committed_room
    report = draft(room, user=room.osei)
    page = watched.sign_in(room.falk)
    watched.goto(f"/reports/{report.pk}/")
    expect(page.get_by_text("Osei, R is writing this report.")).to_be_visible()
    expect(page.locator("#editor")).to_have_count(0)
    expect(page.locator("#main")).to_contain_text("Embolism.")
