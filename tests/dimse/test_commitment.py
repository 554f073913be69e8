"""Storage commitment, asked by foreign peers over the real index and archive."""

import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from apps.accounts.models import ApplicationEntity, Site
from apps.archive.models import Location
from apps.archive.storage import write_storage
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.dimse import tasks
from apps.dimse.event_reports import event_command, event_information
from apps.exchange.models import ExchangeAttention, StorageCommitment
from apps.exchange.services import commitment_claim, commitments_retry
from apps.studies.models import Instance
from tests.dimse.installation import free_port
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice
from tests.orthanc import orthanc_running, rest

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

PUSH, INSTANCE = StorageCommitmentPushModel, StorageCommitmentPushModelInstance
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


class Modality:
    """A scanner of pynetdicom's: it asks, and listens for the answer."""

    def __init__(self, title: str = "CT_1") -> None:
        self.title = title
        self.port = free_port()
        self.reports: list[tuple[int, Dataset]] = []
        self.callers: list[str] = []
        self.heard = threading.Event()
        self.status = 0x0000
        self.silent = False
        self.supports = True
        self._server: Any = None

    def listen(self) -> None:
        ae = AE(self.title)
        context = PUSH if self.supports else Verification
        ae.add_supported_context(context, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self._take)]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _take(self, event: Any) -> tuple[int, Dataset | None]:
        self.callers.append(event.assoc.requestor.ae_title)
        self.reports.append((event.event_type, event.event_information))
        if self.silent:
            event.assoc.abort()
        self.heard.set()
        return self.status, None

    def ask(
        self,
        server: Server,
        *references: tuple[str, str],
        transaction: str = "",
        keep: float = 0.0,
        action: int = 1,
        instance: str = INSTANCE,
    ) -> int:
        """Send the N-ACTION and return the status; wait up to `keep` seconds for a report."""
        ds = Dataset()
        ds.TransactionUID = transaction or new_uid()
        ds.ReferencedSOPSequence = []
        for sop_class, uid in references:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
            ds.ReferencedSOPSequence.append(item)
        ae = AE(self.title)
        ae.add_requested_context(PUSH)
        role = build_role(PUSH, scu_role=True, scp_role=False)
        association = ae.associate(
            "127.0.0.1",
            server.port,
            ae_title="ISOCENTER",
            ext_neg=[role],
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take)],
        )
        assert association.is_established
        status, _ = association.send_n_action(ds, action, PUSH, instance)
        if keep:
            self.heard.wait(keep)
        association.release()
        return int(status.Status)


@pytest.fixture
def modality() -> Iterator[Modality]:
    made = Modality()
    made.listen()
    yield made
    made.stop()


def register(modality: Modality, verbs: list[str] | None = None) -> ApplicationEntity:
    return ApplicationEntity.objects.create(
        ae_title=modality.title,
        host="127.0.0.1",
        port=modality.port,
        site=Site.objects.get(code="MAIN"),
        **({} if verbs is None else {"verbs": verbs}),
    )


@pytest.fixture
def stored(server: Server, tmp_path: Path) -> list[str]:
    """Three slices sent by storescu; their UIDs."""
    study, series = new_uid(), new_uid()
    uids = []
    for number in range(3):
        ds = ct_slice(study=study, series=series, number=number + 1)
        (tmp_path / f"{number}.dcm").write_bytes(as_file(ds))
        uids.append(ds.SOPInstanceUID)
    subprocess.run(
        ["storescu", "-aec", "ISOCENTER", "+sd", "127.0.0.1", str(server.port), str(tmp_path)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return uids


def files_of(uid: str) -> Path:
    key = Location.objects.get(
        stored_object=Instance.objects.get(sop_instance_uid=uid).stored_object
    ).key
    return Path(write_storage().local_path(key) or "")


def pairs(sequence: Any) -> list[tuple[str, str]]:
    return [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in sequence]


def test_what_is_safe_is_confirmed_on_an_association_of_our_own(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    transaction = new_uid()
    assert modality.ask(server, *((CT, uid) for uid in stored), transaction=transaction) == 0
    row = StorageCommitment.objects.get()
    assert (row.state, row.ae_title, row.transaction_uid) == ("REQUESTED", "CT_1", transaction)
    assert not modality.reports  # the answer to N-ACTION is no promise yet
    tasks.commitments_answer()
    (event_type, information), *more = modality.reports
    assert not more
    assert event_type == 1
    assert modality.callers == ["ISOCENTER"]
    assert information.TransactionUID == transaction
    assert information.RetrieveAETitle == "ISOCENTER"
    assert pairs(information.ReferencedSOPSequence) == [(CT, uid) for uid in stored]
    assert "FailedSOPSequence" not in information
    row.refresh_from_db()
    assert (row.state, row.committed, row.failures) == ("REPORTED", 3, [])
    assert Location.objects.filter(verified_at=None).count() == 0
    events = AuditEvent.objects.filter(event__startswith="exchange.commitment")
    assert list(events.order_by("pk").values_list("event", "actor_key")) == [
        ("exchange.commitment.requested", "ae:CT_1"),
        ("exchange.commitment.reported", "system:commitment"),
    ]


def test_what_is_not_safe_is_named_with_its_reason(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    good, other_class, damaged, absent = *stored, new_uid()
    path = files_of(damaged)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF  # one bit of a pixel, the length as it was
    path.write_bytes(content)
    asked = [(CT, good), (MR, other_class), (CT, damaged), (CT, absent)]
    assert modality.ask(server, *asked) == 0
    tasks.commitments_answer()
    event_type, information = modality.reports[0]
    assert event_type == 2
    assert pairs(information.ReferencedSOPSequence) == [(CT, good)]
    assert [
        (i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID, i.FailureReason)
        for i in information.FailedSOPSequence
    ] == [(MR, other_class, 0x0119), (CT, damaged, 0x0110), (CT, absent, 0x0112)]


@pytest.mark.parametrize("loss", ["gone", "short", "not available"])
def test_a_copy_that_is_not_there_is_never_confirmed(
    server: Server, stored: list[str], modality: Modality, loss: str
) -> None:
    register(modality)
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()  # read back: the next check looks at the length only
    assert modality.reports[0][0] == 1
    path = files_of(stored[0])
    if loss == "gone":
        path.unlink()
    elif loss == "short":
        path.write_bytes(path.read_bytes()[:-2])
    else:
        Location.objects.update(status=Location.Status.CORRUPT)
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()
    event_type, information = modality.reports[1]
    assert event_type == 2
    assert [i.FailureReason for i in information.FailedSOPSequence] == [0x0110]
    assert "ReferencedSOPSequence" not in information


def test_the_same_request_twice_is_one_and_is_answered_again(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    transaction, late = new_uid(), new_uid()
    asked = [(CT, stored[0]), (CT, late), (CT, stored[0])]
    assert modality.ask(server, *asked, transaction=transaction) == 0
    tasks.commitments_answer()
    assert modality.ask(server, *reversed(asked), transaction=transaction) == 0
    tasks.commitments_answer()
    assert StorageCommitment.objects.count() == 1
    assert [len(information.FailedSOPSequence) for _, information in modality.reports] == [1, 1]
    other = modality.ask(server, (CT, stored[1]), transaction=transaction)
    assert other == 0x0115
    assert StorageCommitment.objects.get().state == "REPORTED"


def test_instances_of_another_site_look_absent(
    server: Server, stored: list[str], modality: Modality
) -> None:
    entity = register(modality)
    entity.site = Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    entity.save()
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()
    assert [i.FailureReason for i in modality.reports[0][1].FailedSOPSequence] == [0x0112]


def test_requests_that_cannot_be_taken_hear_why(
    server: Server, stored: list[str], modality: Modality
) -> None:
    entity = register(modality)
    assert modality.ask(server) == 0x0115  # nothing named
    assert modality.ask(server, (CT, "no-uid")) == 0x0115
    assert modality.ask(server, (CT, stored[0]), action=7) == 0x0123
    assert modality.ask(server, (CT, stored[0]), instance=new_uid()) == 0x0112
    entity.verbs = ["store", "echo"]
    entity.save()
    assert modality.ask(server, (CT, stored[0])) == 0x0124
    assert not StorageCommitment.objects.exists()


def test_a_peer_that_is_away_hears_it_when_it_is_back(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    modality.stop()
    late = ct_slice(study=new_uid(), series=new_uid(), number=1)
    modality.ask(server, (CT, late.SOPInstanceUID))
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()
    first, second = StorageCommitment.objects.order_by("pk")
    assert "refused" in first.last_error
    assert (first.state, first.attempts) == ("REQUESTED", 1)
    assert (second.attempts, second.due_at >= first.due_at) == (0, True)  # not tried in vain
    assert first.due_at > clock.now()
    for _ in range(2):
        StorageCommitment.objects.update(due_at=clock.now())
        tasks.answer(commitment_claim(at=clock.now()))  # type: ignore[arg-type]
    item = ExchangeAttention.objects.get(resolved_at=None)
    assert item.kind == "commitment-undelivered"
    assert item.summary.startswith("CT_1 does not take its storage confirmations")
    modality.listen()
    assert commitments_retry(actor=system_actor("test"), ae_title="CT_1", at=clock.now()) == 2
    tasks.commitments_answer()
    assert {row.state for row in StorageCommitment.objects.all()} == {"REPORTED"}
    assert len(modality.reports) == 2
    assert not ExchangeAttention.objects.filter(resolved_at=None).exists()


def test_a_result_whose_answer_was_lost_is_said_again_as_it_was(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    modality.silent = True
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()
    row = StorageCommitment.objects.get()
    assert row.state == "CHECKED"
    assert "the result was sent, but no answer came" in row.last_error
    files_of(stored[0]).unlink()  # it was there when we said so
    modality.silent = False
    StorageCommitment.objects.update(due_at=clock.now())
    tasks.commitments_answer()
    assert [event_type for event_type, _ in modality.reports] == [1, 1]
    assert StorageCommitment.objects.get().state == "REPORTED"


def test_a_peer_that_fails_or_does_not_take_results_is_told_apart(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    modality.status = 0x0110
    modality.ask(server, (CT, stored[0]))
    tasks.commitments_answer()
    assert "status 0110H" in StorageCommitment.objects.get().last_error
    modality.stop()
    modality.supports = False
    modality.listen()
    StorageCommitment.objects.update(due_at=clock.now())
    tasks.commitments_answer()
    assert "no storage commitment results" in StorageCommitment.objects.get().last_error


def test_after_two_days_it_is_left_to_a_person(
    server: Server, stored: list[str], modality: Modality
) -> None:
    register(modality)
    modality.stop()
    modality.ask(server, (CT, stored[0]))
    StorageCommitment.objects.update(give_up_at=clock.now() - timedelta(seconds=1))
    tasks.commitments_answer()
    assert StorageCommitment.objects.get().state == "UNDELIVERED"
    assert commitment_claim(at=clock.now() + timedelta(days=1)) is None
    assert ExchangeAttention.objects.filter(resolved_at=None).count() == 1


def test_a_stranger_hears_it_over_the_same_association(
    server: Server, stored: list[str], modality: Modality
) -> None:
    """The door is open, but nobody knows where the peer listens."""
    assert modality.ask(server, (CT, stored[0]), keep=10) == 0
    assert [event_type for event_type, _ in modality.reports] == [1]
    deadline = time.monotonic() + 5
    while StorageCommitment.objects.get().state != "REPORTED":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stranger_that_does_not_wait_leaves_a_row_that_says_so(
    server: Server, stored: list[str], modality: Modality
) -> None:
    modality.status = 0x0110
    assert modality.ask(server, (CT, stored[0]), keep=10) == 0
    deadline = time.monotonic() + 5
    while not StorageCommitment.objects.get().last_error:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    StorageCommitment.objects.update(due_at=clock.now())
    tasks.commitments_answer()
    assert "not registered here" in StorageCommitment.objects.get().last_error


def test_two_workers_share_the_work(server: Server, stored: list[str], modality: Modality) -> None:
    register(modality)
    for uid in stored:
        modality.ask(server, (CT, uid))
    at = clock.now()
    claimed = [commitment_claim(at=at) for _ in range(4)]
    assert claimed[3] is None
    assert len({row.pk for row in claimed if row}) == 3


def test_the_report_says_all_of_the_list() -> None:
    row = StorageCommitment(
        transaction_uid="1.2.3",
        references=[[CT, "1.1"], [MR, "1.1"]],
        failures=[[MR, "1.1", 0x0119]],
        checked_at=clock.now(),
    )
    information = event_information(row, "ISOCENTER")
    assert information[0x00081199] == [{0x00081150: CT, 0x00081155: "1.1"}]
    assert information[0x00081198] == [{0x00081150: MR, 0x00081155: "1.1", 0x00081197: 0x0119}]
    assert event_command(row)[0x1002] == 2
    assert row.committed == 1


# -- Orthanc --------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_orthanc_asks_and_understands_the_answer(
    server: Server, stored: list[str], orthanc: str, tmp_path: Path
) -> None:
    modality = {
        "AET": "ISOCENTER",
        "Host": "127.0.0.1",
        "Port": server.port,
        "AllowEventReport": True,
        "AllowStorageCommitment": True,
    }
    with orthanc_running(
        orthanc, tmp_path / "orthanc", DicomModalities={"isocenter": modality}
    ) as (dicom, http):
        ApplicationEntity.objects.create(
            ae_title="ORTHANC", host="127.0.0.1", port=dicom, site=Site.objects.get(code="MAIN")
        )

        def outcome(*references: tuple[str, str]) -> Any:
            asked = [{"SOPClassUID": a, "SOPInstanceUID": b} for a, b in references]
            body = {"DicomInstances": asked}
            made = rest(http, "/modalities/isocenter/storage-commitment", body)
            assert rest(http, made["Path"])["Status"] == "Pending"
            tasks.commitments_answer()
            return rest(http, made["Path"])

        good = outcome(*((CT, uid) for uid in stored))
        assert good["Status"] == "Success"
        assert {one["SOPInstanceUID"] for one in good["Success"]} == set(stored)
        bad = outcome((CT, stored[0]), (CT, "1.2.3.4"))
        assert bad["Status"] == "Failure"
        assert [(f["SOPInstanceUID"], f["FailureReason"]) for f in bad["Failures"]] == [
            ("1.2.3.4", 0x0112)
        ]
        assert {row.state for row in StorageCommitment.objects.all()} == {"REPORTED"}
