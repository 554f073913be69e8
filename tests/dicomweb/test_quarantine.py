"""What a STOW-RS client hears of defects, of what waits for a person, and of what is no DICOM."""

import pytest

from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import forget_rules
from apps.studies.models import Instance, QuarantinedObject
from apps.studies.services.intake import intake_rule_save
from tests.dicomweb.conftest import multipart
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db


@pytest.fixture
def everyone():
    """Set the rule for every sender."""

    def save(action: IntakeAction) -> None:
        forget_rules()
        intake_rule_save(actor=system_actor("test"), source="*", action=action, at=clock.now())

    yield save
    forget_rules()


def test_what_waits_in_quarantine_is_a_warning_without_an_address(web, everyone):
    everyone(IntakeAction.QUARANTINE)
    answer = web.post("/dicom-web/studies", **multipart(as_file(ct_slice(Rows=15))))
    assert answer.status_code == 202
    [item] = answer.json()["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0xB007]
    assert "Value" not in item["00081190"]
    assert (Instance.objects.count(), QuarantinedObject.objects.count()) == (0, 1)


def test_a_defective_object_that_is_refused_is_a_failure(web, everyone):
    everyone(IntakeAction.REFUSE)
    answer = web.post("/dicom-web/studies", **multipart(as_file(ct_slice(Rows=15))))
    assert answer.status_code == 409
    [item] = answer.json()["00081198"]["Value"]
    assert item["00081197"]["Value"] == [0xA900]
    assert not QuarantinedObject.objects.exists()


def test_a_part_that_names_nothing_is_an_other_failure(web):
    answer = web.post("/dicom-web/studies", **multipart(as_file(ct_slice()), b"no DICOM" * 50))
    assert answer.status_code == 202
    body = answer.json()
    assert [item["00081197"]["Value"] for item in body["0008119A"]["Value"]] == [[0xC000]]
    assert "00081198" not in body
