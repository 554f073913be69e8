"""A node is asked from its page by a worker of its own process, and the page shows it live."""

import pytest
from playwright.sync_api import Page, expect

from tests.product import Product

pytestmark = [pytest.mark.e2e]


def test_a_worker_asks_and_the_page_shows_it(running_product: Product, page: Page) -> None:
    product = running_product
    title = "ISOCENTER"  # the product itself is a peer like any other
    product.manage("register_ae", title, "127.0.0.1", str(product.dicom_port))
    ((pk,),) = product.sql("SELECT id FROM accounts_applicationentity WHERE ae_title = %s", title)
    page.goto(f"{product.url}/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(product.admin_password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/login" not in url)
    page.goto(f"{product.url}/administration/node/{pk}/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    newest = page.locator("#tests article").first
    for name, words in (
        ("C-ECHO", "It answered in"),
        ("C-FIND", "of the last 7 days"),
        ("Worklist", "0 steps today"),
    ):
        page.get_by_role("button", name=name).click()
        expect(newest).to_contain_text(words, timeout=30_000)
    asked = product.sql("SELECT question, cause FROM dimse_nodetest WHERE entity_id = %s", pk)
    assert sorted(asked) == [("echo", ""), ("find", ""), ("worklist", "")]
