"""The ledger of storage commitment: what was asked, what the check found, how the answer went."""

import datetime

import pytest
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.accounts.models import Site
from apps.accounts.selectors import actor_for_ae
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.exchange.models import StorageCommitment
from apps.exchange.services import (
    commitment_checked,
    commitment_postpone,
    commitment_reported,
    commitment_request,
)
from apps.studies.commitment import Reference, references_check
from apps.studies.services import instances_record
from tests.factories.dicom import as_file, ct_slice, stage
from tests.shell.conftest import (
    browser_page,
    front_end,
    hospital,
    quick_passwords,
    sign_in,
    strict_templates,
)
from tests.shell.test_browser import faults, in_every_dress, wider_than_the_window

__all__ = [
    "browser_page", "front_end", "hospital", "quick_passwords", "sign_in", "strict_templates",
]  # fmt: skip
pytestmark = pytest.mark.django_db
SYSTEM = system_actor("test")


@pytest.fixture
def asked(hospital, settings):
    """Three questions: answered and safe, refused by the peer, and given up; the last's key."""
    settings.ISOCENTER_OPEN_AE = True
    scanner = actor_for_ae("CT_1", "10.20.1.17").actor
    site, at = Site.objects.get(code="MAIN"), clock.now()
    kept, lost = ct_slice(StudyDescription="CT CHEST"), ct_slice()
    instances_record(actor=scanner, batch=[stage(as_file(kept))], at=at, door="dimse")

    def ask(title: str, *slices):
        references = [Reference(str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in slices]
        row = commitment_request(
            actor=scanner,
            ae_title=title,
            site_id=site.pk,
            association="",
            transaction_uid=new_uid(),
            references=references,
            at=at,
        )
        failures = references_check(references, site_id=site.pk, at=at)
        commitment_checked(commitment_id=row.pk, failures=failures, at=at)
        return row.pk

    commitment_reported(actor=SYSTEM, commitment_id=ask("CT_1", kept), at=at)
    commitment_postpone(
        commitment_id=ask("MR_1", kept, lost), error="It does not listen on port 104", at=at
    )
    late = ask("US_1", kept)
    commitment_postpone(
        commitment_id=late, error="Nobody answers", at=at + datetime.timedelta(days=3)
    )
    return late


def test_the_list_says_what_was_found_and_how_the_answer_went(sign_in, asked):
    client = sign_in(Role.TECHNOLOGIST)
    html = client.get("/commitments/").content.decode()
    for words in ("1 image, safe here", "1 of 2 images not safe here", "Told", "Not told"):
        assert words in html
    assert "It does not listen on port 104" in html
    waiting = client.get("/commitments/", {"show": "open"})
    assert [one["row"].ae_title for one in waiting.context["rows"]] == ["US_1", "MR_1"]
    unsafe = client.get("/commitments/", {"show": "failed"})
    assert [one["row"].ae_title for one in unsafe.context["rows"]] == ["MR_1"]
    assert client.get("/commitments/", {"who": "ct"}).context["total"] == 1
    assert AuditEvent.objects.filter(event="exchange.commitment.listed").exists()


def test_one_request_names_every_image_that_is_not_safe_and_why(sign_in, asked):
    row = StorageCommitment.objects.get(ae_title="MR_1")
    html = sign_in(Role.ADMINISTRATOR).get(f"/commitments/{row.pk}/").content.decode()
    [(_, uid, _)] = row.failures
    assert uid in html
    assert "is not here" in html
    assert "MR_1 has not taken the answer yet." in html
    assert "CT CHEST" in html
    assert row.transaction_uid in html


def test_what_was_given_up_is_tried_again_from_here(sign_in, asked):
    client = sign_in(Role.TECHNOLOGIST)
    assert "for two days" in client.get(f"/commitments/{asked}/").content.decode()
    assert client.post(f"/commitments/{asked}/retry/").status_code == 302
    assert StorageCommitment.objects.get(pk=asked).state == "REQUESTED"
    assert sign_in(Role.RADIOLOGIST).get("/commitments/").status_code == 403


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_ledger_in_every_dress(browser_page, asked):
    page = browser_page.sign_in(Role.ADMINISTRATOR)
    browser_page.goto("/commitments/")
    page.keyboard.press("j")
    expect(page.locator("#commitment")).to_contain_text("How the answer went")
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
