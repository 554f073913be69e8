"""The reading list in a real browser: rows arrive, the selection stays, the keys act."""

import pytest
from playwright.sync_api import expect

from apps.core import clock
from apps.worklists.models import ReadingItem
from apps.worklists.reading.services import reading_claim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def selected(page):
    return page.locator("tr[aria-selected=true]")


def test_page_has_no_fault(watched, committed_room):
    room = committed_room
    for priority in ("stat", "urgent", "routine"):
        room.item(priority=priority)
    room.study(patient=room.patient(), completeness="PARTIAL")
    taken = room.item(patient=room.patient("Halvorsen^Bjørn"))
    reading_claim(actor=room.actor(room.osei), item_id=taken.pk, at=clock.now())
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    expect(page.locator("#preview .pt__n")).to_contain_text("OKONKWO, Adaeze")
    assert watched.faults_in_every_dress() == []


def test_empty_list_has_no_fault(watched, committed_room):
    page = watched.sign_in(committed_room.falk)
    watched.goto("/reading/?modality=CT")
    expect(page.get_by_text("Nothing here with these filters")).to_be_visible()
    assert watched.faults_in_every_dress() == []


def test_new_row_arrives_and_the_selection_stays(watched, committed_room):
    room = committed_room
    items = [room.item(patient=room.patient(f"Person{n}^A")) for n in range(3)]
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    page.keyboard.press("j")
    expect(selected(page)).to_have_attribute("id", f"item-{items[1].pk}")
    expect(page.locator("#preview .pt__n")).to_contain_text("PERSON1")
    room.item(priority="stat", patient=room.patient("Urgent^B"))
    # what a message at /live/ makes the shell do; the stream itself has its own tests
    page.evaluate("document.dispatchEvent(new CustomEvent('iso:refresh'))")
    expect(page.locator("#rows tbody tr").first).to_contain_text("URGENT")
    expect(selected(page)).to_have_attribute("id", f"item-{items[1].pk}")
    expect(page.locator("#tab-1 .n")).to_have_text("4")
    expect(page.locator("#preview .pt__n")).to_contain_text("PERSON1")


def test_claim_and_give_back_by_key_with_undo(watched, committed_room):
    room = committed_room
    item = room.item()
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    expect(selected(page)).to_have_count(1)
    page.keyboard.press("c")
    expect(page.locator(".toast")).to_contain_text("Claimed: OKONKWO, Adaeze, CT chest")
    page.evaluate("document.dispatchEvent(new CustomEvent('iso:refresh'))")
    expect(selected(page)).to_contain_text("You")
    page.keyboard.press("u")
    expect(page.locator(".toast").last).to_contain_text("Given back")
    item.refresh_from_db()
    assert item.claimed_by is None


def test_taken_exam_is_not_opened_and_says_who_has_it(watched, committed_room):
    room = committed_room
    item = room.item()
    reading_claim(actor=room.actor(room.osei), item_id=item.pk, at=clock.now())
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    expect(page.locator("#preview")).to_contain_text("Osei, R is reading this")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Osei, R has been reading this since")
    assert page.url.endswith("/reading/")
    watched.complaints.clear()  # the browser logs the refusal's 422


def test_hand_off_and_next(watched, committed_room):
    room = committed_room
    first = room.item(priority="stat")
    second = room.item(patient=room.patient("Santos^Rui"))
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    expect(page.locator("#preview .pt__n")).to_contain_text("OKONKWO")
    page.keyboard.press("h")
    dialog = page.locator("#hand-dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("To").select_option(label="Dr R Osei")
    dialog.get_by_role("button", name="Hand off").click()
    expect(page.locator(".toast")).to_contain_text("Handed to Osei, R")
    first.refresh_from_db()
    assert (first.assigned_to, first.claimed_by) == (room.osei, None)
    expect(dialog).to_be_hidden()
    page.keyboard.press("n")
    page.wait_for_url("**/viewer/?StudyInstanceUIDs=*")
    second.refresh_from_db()
    assert second.claimed_by == room.falk
    watched.complaints.clear()  # the viewer looks for pixels that these studies do not have


def test_filters_and_own_list(watched, committed_room):
    room = committed_room
    room.item()
    room.item(patient=room.patient("Santos^Rui"), procedure=room.xr)
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    page.get_by_label("Modality").select_option("DX")
    page.wait_for_url("**/reading/?modality=DX")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Keep as a list").click()
    page.get_by_label("Name", exact=True).fill("My plain films")
    page.get_by_role("button", name="Keep the list").click()
    expect(page.locator("#reading-tabs a[aria-current]")).to_contain_text("My plain films 1")
    page.get_by_role("button", name="Forget this list").click()
    page.wait_for_url("**/reading/")
    expect(page.locator("#reading-tabs")).not_to_contain_text("My plain films")


def test_more_rows_come_on_demand(watched, committed_room):
    room = committed_room
    template = room.item()
    patient = template.patient
    for n in range(60):
        study = room.study(patient=patient, tell=False)
        ReadingItem.objects.create(
            study=study, patient=patient, site=room.main, modality="CT", description=f"CT {n}",
            since=template.since, due_at=template.due_at,
        )  # fmt: skip
    page = watched.sign_in(room.falk)
    watched.goto("/reading/")
    expect(page.locator("#rows tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Show 50 more").click()
    expect(page.locator("#rows tbody tr")).to_have_count(61)
    page.evaluate("document.dispatchEvent(new CustomEvent('iso:refresh'))")
    expect(page.locator("#rows tbody tr")).to_have_count(61)
