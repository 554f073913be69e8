"""The portal in a real browser, as two referrers, at a desk and on a phone."""

import pytest
from playwright.sync_api import expect

from tests.reports.writing import draft, preliminary, sign

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_two_referrers_see_their_own(watched, committed_room):
    room = committed_room
    mine = room.item()
    sign(room, draft(room, mine))
    page = watched.sign_in(room.hart)
    watched.goto("/portal/")
    page.get_by_role("link", name="OKONKWO, Adaeze").click()
    page.wait_for_url(f"**/portal/{mine.requested_procedure_id}/**")
    expect(page.locator("main h1")).to_have_text("OKONKWO, Adaeze")
    expect(page.get_by_text("Embolism.").first).to_be_visible()
    expect(page.get_by_role("link", name="PDF")).to_be_visible()
    page.context.clear_cookies()
    watched.sign_in(room.stranger)
    answer = watched.goto(f"/portal/{mine.requested_procedure_id}/")
    assert answer.status == 404
    watched.goto("/portal/")
    expect(page.get_by_text("No results yet")).to_be_visible()
    watched.complaints.clear()  # the browser logs the 404


def test_phone_shows_one_thing_at_a_time(watched, committed_room):
    room = committed_room
    item = room.item()
    sign(room, draft(room, item))
    page = watched.sign_in(room.hart)
    page.set_viewport_size({"width": 390, "height": 844})
    watched.goto("/portal/")
    expect(page.locator(".po__d")).to_be_hidden()
    page.get_by_role("link", name="OKONKWO, Adaeze").click()
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator(".po__l")).to_be_hidden()
    page.get_by_role("link", name="Back to results").click()
    expect(page.locator(".po__l")).to_be_visible()


@pytest.mark.parametrize("state", ["list", "final", "preliminary", "waiting"])
def test_page_has_no_fault(watched, committed_room, state):
    room = committed_room
    item = room.item()
    report = draft(room, item, findings="Seen:\n- one", impression="1. Embolism.\n2. Nodule.")
    if state == "preliminary":
        preliminary(room, report)
    if state in {"list", "final"}:
        sign(room, report)
    page = watched.sign_in(room.hart)
    watched.goto("/portal/" if state == "list" else f"/portal/{item.requested_procedure_id}/")
    expect(page.locator("h1").first).to_have_count(1)
    assert watched.faults_in_every_dress() == []
