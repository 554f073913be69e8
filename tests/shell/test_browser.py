"""The frame in a real browser: keys, palette, theme, live regions, accessibility, policy."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.domain import Role

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
PAGES = {
    "patients": (Role.SCHEDULER, "/patients/?q=oko"),
    "patient": (Role.RADIOLOGIST, "/patients/{okonkwo}/"),
    "audit": (Role.PRIVACY_OFFICER, "/audit/"),
    "accounts": (Role.ADMINISTRATOR, "/administration/users/"),
    "node": (Role.ADMINISTRATOR, "/administration/nodes/new/"),
    "peer": (Role.ADMINISTRATOR, "/administration/peers/new/"),
    "welcome": (Role.TECHNOLOGIST, "/welcome/"),
    "password": (Role.TECHNOLOGIST, "/accounts/password/change/"),
}


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(v["impact"], v["id"], [n["target"] for n in v["nodes"]]) for v in found]


def in_every_dress(page, look):
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            assert look(page) == [], (size, theme)


def wider_than_the_window(page):
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return ["scrolls sideways"] if overflow > 0 else []


def test_sign_in_page_has_no_fault(browser_page):
    browser_page.goto("/accounts/login/")
    in_every_dress(browser_page.page, lambda page: faults(page) + wider_than_the_window(page))


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_fault(browser_page, hospital, name):
    role, path = PAGES[name]
    page = browser_page.sign_in(role)
    browser_page.goto(path.format(okonkwo=hospital.okonkwo.pk))
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))


def test_demonstration_account_fills_the_name(browser_page):
    browser_page.goto("/accounts/login/")
    browser_page.page.get_by_role("button", name="technologist").click()
    expect(browser_page.page.get_by_label("User name")).to_have_value("technologist")
    expect(browser_page.page.get_by_label("Password")).to_be_focused()


def test_palette_by_keyboard(browser_page, hospital):
    page = browser_page.sign_in(Role.RADIOLOGIST)
    browser_page.goto("/welcome/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Patient, accession or action")
    expect(field).to_be_focused()
    page.keyboard.type("oko")
    options = page.locator("iso-palette [role=option]")
    expect(options.first).to_contain_text("OKONKWO, Adaeze")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert faults(page) == []
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(options.nth(1)).to_contain_text("OKORO, Daniel")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/patients/{hospital.okonkwo.pk}/")


def test_escape_closes_the_palette_and_gives_the_focus_back(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/?q=oko")
    row = page.locator("[data-row]").first
    row.focus()
    page.keyboard.press("Control+k")
    expect(page.locator("iso-palette dialog")).to_be_visible()
    page.keyboard.type("fa")
    page.keyboard.press("Escape")
    expect(page.locator("iso-palette dialog")).to_be_hidden()
    expect(row).to_be_focused()


def test_nothing_found_is_said(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/welcome/")
    page.keyboard.press("Control+k")
    page.keyboard.type("zzzz")
    expect(page.get_by_text("Nobody and nothing of that name")).to_be_visible()


def test_rows_by_keyboard(browser_page, hospital):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/?q=oko")
    rows = page.locator("[data-row]")
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    page.locator("body").click(position={"x": 700, "y": 700})
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(rows.nth(1)).to_be_focused()
    expect(rows.nth(0)).not_to_have_attribute("aria-selected", "true")
    assert page.locator("[data-row][tabindex='0']").count() == 1
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/patients/{hospital.okonkwo.pk}/")


def test_letters_typed_into_a_field_are_letters(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/?q=oko")
    page.keyboard.press("/")
    field = page.get_by_label("Name or number")
    expect(field).to_be_focused()
    page.keyboard.type("jk?")
    expect(field).to_have_value("jk?")
    expect(page.locator("[data-row]").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()


def test_the_keys_of_the_page_are_listed_and_single_letters_can_be_switched_off(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/?q=oko")
    page.locator("[data-row]").first.focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys on this page")
    for words in ("Find anything", "Next row", "Filter this list", "Patients"):
        expect(dialog.get_by_text(words, exact=True).first).to_be_visible()
    assert faults(page) == []
    with page.expect_response("**/preferences/"):
        dialog.get_by_label("Single letters are commands").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("[data-row]").first.focus()
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-row]").nth(1)).to_have_attribute("aria-selected", "true")


def test_g_then_a_letter_goes_to_a_page(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/welcome/")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/patients/")


def test_the_theme_is_kept_with_the_account(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    with page.expect_response("**/preferences/"):
        page.get_by_role("button", name="Change theme").click()
    expect(root).to_have_attribute("data-theme", "dark")
    browser_page.goto("/patients/")
    expect(root).to_have_attribute("data-theme", "dark")


def test_account_menu_signs_out(browser_page):
    page = browser_page.sign_in(Role.RADIOLOGIST)
    browser_page.goto("/welcome/")
    page.get_by_role("button", name="your account: Dr Ines Falk, radiologist").click()
    assert faults(page) == []
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


def test_a_refresh_keeps_selection_focus_and_place(browser_page, hospital):
    page = browser_page.sign_in(Role.RADIOLOGIST)
    browser_page.goto(f"/patients/{hospital.okonkwo.pk}/")
    rows = page.locator("[data-row]")
    rows.first.focus()
    page.keyboard.press("j")
    key = page.locator("[data-row][aria-current]").get_attribute("id")
    chosen = page.locator(f"#{key}")
    expect(chosen).to_be_focused()
    with page.expect_response(f"**/patients/{hospital.okonkwo.pk}/") as answer:
        page.evaluate("document.dispatchEvent(new CustomEvent('iso:refresh'))")
    assert answer.value.request.headers["hx-request"] == "true"
    page.wait_for_function("!document.querySelector('.htmx-request')")
    expect(chosen).to_be_focused()
    expect(chosen).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-row][aria-current]")).to_have_count(1)


def test_an_event_of_the_trail_is_shown_beside_it(browser_page):
    page = browser_page.sign_in(Role.PRIVACY_OFFICER)
    browser_page.goto("/audit/")
    page.locator("[data-row]").first.focus()
    page.keyboard.press("j")
    expect(page.locator("#event h2")).to_be_visible()
    expect(page.locator("#event")).to_contain_text("Record")
    assert faults(page) == []


def test_a_toast_offers_undo(browser_page):
    page = browser_page.sign_in(Role.RADIOLOGIST)
    browser_page.goto("/welcome/")
    said = {"text": "CT head linked", "undo": "/preferences/"}
    page.evaluate("s => document.dispatchEvent(new CustomEvent('toast', {detail: s}))", said)
    toast = page.locator("[data-toast]")
    expect(toast).to_contain_text("CT head linked")
    assert faults(page) == []
    page.locator("#main").focus()
    with page.expect_response("**/preferences/") as answer:
        page.keyboard.press("u")
    assert answer.value.request.method == "POST"
    expect(page.locator("[data-toast]")).to_have_text("Undone")


def rows_html(*keys):
    rows = "".join(f'<tr data-row id="r{k}"><td>row {k}</td></tr>' for k in keys)
    return f'<table class="tbl" role="grid"><tbody data-list id="many">{rows}</tbody></table>'


def test_rows_that_arrive_above_do_not_move_what_is_in_view(browser_page):
    page = browser_page.sign_in(Role.SCHEDULER)
    browser_page.goto("/patients/?q=oko")
    answers = [rows_html(*range(60)), rows_html("x", "y", "z", *range(60))]
    page.route("**/synthetic", lambda route: route.fulfill(body=answers.pop(0)))
    page.evaluate(
        """() => {
          const region = document.querySelector('.scroll')
          region.id = 'region'
          for (const [k, v] of Object.entries({'data-live': 'topic', 'hx-get': '/synthetic',
            'hx-trigger': 'refresh', 'hx-swap': 'innerMorph'})) region.setAttribute(k, v)
          htmx.process(region)
          document.dispatchEvent(new CustomEvent('iso:refresh'))
        }"""
    )
    page.locator("#r40").click()
    before = page.locator("#r40").bounding_box()["y"]
    page.evaluate("document.dispatchEvent(new CustomEvent('iso:refresh'))")
    expect(page.get_by_role("button", name="3 new above")).to_be_visible()
    assert abs(page.locator("#r40").bounding_box()["y"] - before) <= 1
    expect(page.locator("#r40")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#r40")).to_be_focused()
    page.get_by_role("button", name="3 new above").click()
    expect(page.locator("#rx")).to_be_in_viewport()
    expect(page.locator(".fresh")).to_have_count(0)
    expect(page.locator("#r40")).to_have_attribute("aria-selected", "true")


def test_the_end_of_the_sign_in_is_announced_and_can_be_put_off(browser_page, settings):
    settings.SESSION_COOKIE_AGE = 600
    page = browser_page.sign_in(Role.RADIOLOGIST)
    page.clock.install()
    browser_page.goto("/welcome/")
    dialog = page.get_by_role("dialog", name="Stay signed in?")
    page.clock.fast_forward("05:00")
    expect(dialog).to_be_hidden()
    page.clock.fast_forward("03:30")
    expect(dialog).to_contain_text("Your sign-in ends in")
    assert faults(page) == []
    with page.expect_response("**/preferences/"):
        dialog.get_by_role("button", name="Stay signed in").click()
    expect(dialog).to_be_hidden()


def test_on_a_phone_the_account_stays_in_reach_beside_many_entries(browser_page):
    """An administrator has every entry: they scroll, and the account does not go with them."""
    page = browser_page.sign_in(Role.ADMINISTRATOR)
    page.set_viewport_size({"width": 390, "height": 844})
    account = page.locator("[popovertarget=account-menu]")
    rail = page.locator(".rail")
    for scrolled in (0, 1000):
        rail.evaluate("(rail, x) => { rail.scrollLeft = x }", scrolled)
        box = account.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    rail.evaluate("rail => { rail.scrollLeft = 0 }")
    account.click()
    expect(page.locator("#account-menu")).to_be_visible()
