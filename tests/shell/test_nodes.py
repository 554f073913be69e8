"""The page of a DICOM node in a browser, with real peers behind the questions."""

import socket

import pytest
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.accounts.models import ApplicationEntity, Site
from apps.core import clock
from apps.dimse.models import AssociationRecord
from pacs_site.celery import app
from tests.dimse.peers import sink
from tests.shell.test_browser import faults, in_every_dress, wider_than_the_window

pytestmark = [pytest.mark.e2e, pytest.mark.peer, pytest.mark.timeout(180)]


@pytest.fixture
def worker():
    """Tasks are run where they are asked for: there is no broker here."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def make(title, port, **values):
    site = Site.objects.get(code="MAIN")
    return ApplicationEntity.objects.create(
        ae_title=title, host="127.0.0.1", port=port, site=site, **values
    )


def recorded(title, **values):
    return AssociationRecord.objects.create(
        association="6f5a4e6c-1d0b-4a57-9a43-0d6f0f6f0f6f",
        started_at=clock.now(),
        seconds=0.2,
        address="10.20.1.17",
        calling_ae=title,
        called_ae="ISOCENTER",
        words="rejected: this AE title has to call over TLS",
        **values,
    )


def test_a_node_is_tried_and_changed(browser_page, worker, tmp_path):
    with sink(tmp_path / "got") as port, socket.create_server(("127.0.0.1", 0)) as gone:
        node = make("CT_1", port, description="CT, ground floor", calls_over_tls=True)
        recorded("CT_1", end="rejected", rejection="1.3 tls", failed=True)
        page = browser_page.sign_in(Role.ADMINISTRATOR)
        browser_page.goto("/administration/nodes/")
        row = page.locator(f"#ae-{node.pk}")
        expect(row).to_contain_text("in only")
        expect(row).to_contain_text("It called without TLS")
        in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
        page.set_viewport_size({"width": 1440, "height": 900})
        row.get_by_role("link", name="CT_1").click()
        page.wait_for_url(f"**/administration/node/{node.pk}/")
        page.keyboard.press("e")
        first = page.locator("#tests article").first
        expect(first).to_contain_text("It answered in")
        expect(first).to_contain_text("OFFIS_DCMTK_367")
        page.get_by_role("button", name="C-FIND").click()
        expect(first).to_contain_text("does not offer Study Root Query")
        in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("link", name="All associations").click()
        page.locator("#rows tr").first.click()
        page.locator("#association").get_by_role("link", name="CT_1").click()
        other = gone.getsockname()[1]
        gone.close()
        page.get_by_role("link", name="Change").click()
        page.get_by_label("Port").fill(str(other))
        page.get_by_label("Its certificate").fill("ct1")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Name a certificate by its subject")).to_be_visible()
        assert [c for c in browser_page.complaints if "422" not in c] == []
        browser_page.complaints.clear()  # the browser notes each 422 in its console
        page.get_by_label("Its certificate").fill("CN = ct1.example")
        page.get_by_label("We call it over TLS").check()
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/administration/nodes/")
        node.refresh_from_db()
        assert (node.port, node.certificate) == (other, "CN=ct1.example")
        assert (node.calls_over_tls, node.called_over_tls) == (True, True)
        page.get_by_role("link", name="CT_1").click()
        page.get_by_role("button", name="C-ECHO").click()
        expect(page.locator("#tests article").first).to_contain_text(
            f"Connection refused: nothing listens at 127.0.0.1:{other}"
        )
