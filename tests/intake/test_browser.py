"""Quarantine and upload in a real browser: keys, dresses, accessibility."""

import pytest
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.studies.models import QuarantinedObject
from tests.shell.test_browser import faults, in_every_dress, wider_than_the_window

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_quarantine_by_keyboard_and_in_every_dress(browser_page, held_back):
    held_back(3, unreadable=1)
    page = browser_page.sign_in(Role.TECHNOLOGIST)
    browser_page.goto("/quarantine/")
    rows = page.locator("[data-row]")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#preview")).to_contain_text("What it says of itself")
    page.keyboard.press("x")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("x")
    expect(page.locator("[data-chosen]")).to_have_text("2 of 4 chosen")
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Why, for the record").fill("Service images")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("2 objects discarded")).to_be_visible()
    page.wait_for_load_state()  # the keys are there once the page's scripts have run
    page.keyboard.press("u")
    expect(page.get_by_text("2 objects back in quarantine")).to_be_visible()
    assert QuarantinedObject.objects.filter(state="held").count() == 4


@pytest.mark.parametrize("path", ["rules/", "?show=decided", "{}/"])
def test_quarantine_pages_have_no_fault(browser_page, held_back, path):
    held_back(1)
    page = browser_page.sign_in(Role.ADMINISTRATOR)
    browser_page.goto("/quarantine/" + path.format(QuarantinedObject.objects.get().pk))
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
