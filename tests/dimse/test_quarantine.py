"""What a sender hears of objects with defects, in C-STORE's own terms."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import forget_rules
from apps.studies.models import Instance, QuarantinedObject
from apps.studies.services.intake import intake_rule_save
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice


@pytest.fixture
def send(server: Server, dcmtk: Callable[[str], str], tmp_path: Path):
    """Send a file with dcmtk's storescu and return what it says."""

    def sent(content: bytes) -> str:
        path = tmp_path / "object.dcm"
        path.write_bytes(content)
        command = [dcmtk("storescu"), "-d", "-aet", "CT_1", "-aec", "ISOCENTER", "127.0.0.1"]
        done = subprocess.run(
            [*command, str(server.port), str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr

    yield sent
    forget_rules()


def rule(action: IntakeAction) -> None:
    intake_rule_save(actor=system_actor("test"), source="ae:CT_1", action=action, at=clock.now())


@pytest.mark.parametrize(
    ("action", "said", "kept", "held"),
    [
        (None, "0x0000", 1, 0),
        (IntakeAction.REFUSE, "0xa900", 0, 0),
        (IntakeAction.QUARANTINE, "0xb007", 0, 1),
    ],
)
def test_a_defective_object(send, action, said, kept, held):
    if action:
        rule(action)
    assert f"DIMSE Status                  : {said}" in send(as_file(ct_slice(Rows=15)))
    assert (Instance.objects.count(), QuarantinedObject.objects.count()) == (kept, held)


def test_what_cannot_be_filed_stays_a_failure_though_its_bytes_are_kept(send):
    rule(IntakeAction.QUARANTINE)
    broken = as_file(ct_slice(StudyInstanceUID=""))
    answer = send(broken)
    assert "DIMSE Status                  : 0xc000" in answer
    assert "kept in quarantine" in answer
    row = QuarantinedObject.objects.get()
    assert (row.unservable, row.findings[0]["code"]) == (True, "studies.missing-uid")
