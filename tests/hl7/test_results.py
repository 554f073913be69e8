"""Results out: a valid ORU, one delivery for each peer, sent in order, refused ones mended."""

import datetime
import socket
import threading
from types import SimpleNamespace

import hl7 as foreign_hl7
import pytest
from django.db import transaction
from django.db.models import F
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

from apps.accounts.domain import Role
from apps.accounts.models import Hl7Peer, User
from apps.accounts.services import hl7_peer_register
from apps.core import clock
from apps.core.errors import ConflictError, InvalidInputError, NotFoundError
from apps.core.steps import publish
from apps.core.tasks import relay_once
from apps.exchange import selectors, services
from apps.exchange.models import Delivery
from apps.exchange.services import deliveries
from apps.hl7 import tasks
from apps.hl7.domain.framing import FrameReader, frame
from apps.orders.domain import ExamRequest, Placer, Priority, Referral
from apps.orders.steps import order_place
from apps.reports.models import Report, ReportVersion
from tests.orders.conftest import AT, SYSTEM, make_user

EVENTS = {
    "preliminary": "reports.report.preliminary",
    "final": "reports.report.finalised",
    "appended": "reports.report.addended",
    "corrected": "reports.report.corrected",
    "cancelled": "reports.report.cancelled",
}
TEXT = "Stone of 4 mm | left & \\ distal ^ ureter\n\nNo ~ hydronephrosis Ünïcode Ωμέγα"


class Ehr:
    """An MLLP sink whose answers the test chooses; written with the hl7 package's parser."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = []
        self.answers = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                reader = FrameReader(10_000_000)
                messages = []
                while not messages:
                    chunk = sock.recv(65536)
                    if not chunk:
                        break
                    messages = reader.feed(chunk)
                for data in messages:
                    self.got.append(data)
                    answer = self.answers.pop(0) if self.answers else "AA"
                    if answer:
                        control_id = str(
                            foreign_hl7.parse(data.decode("latin-1")).segment("MSH")[10]
                        )
                        ack = (
                            rf"MSH|^~\&|EHR|F|ISOCENTER|MAIN|20261124||ACK^R01|9|P|2.5.1{chr(13)}"
                            f"MSA|{answer[:2]}|{control_id}|{answer[3:]}\r"
                        )
                        sock.sendall(frame(ack.encode()))

    @property
    def statuses(self):
        return [str(foreign_hl7.parse(d.decode()).segment("OBR")[25]) for d in self.got]


@pytest.fixture
def ehr():
    sink = Ehr()
    yield sink
    sink.listener.close()


@pytest.fixture
def chain(hospital, ehr):
    hospital.patient.name_ideographic = "山田^太郎"
    hospital.patient.save()
    peer = hl7_peer_register(
        actor=SYSTEM,
        name="EHR",
        app="EHR",
        site_code="MAIN",
        send_host="127.0.0.1",
        send_port=ehr.port,
        events=["oru"],
    )
    with transaction.atomic():
        order = order_place(
            actor=SYSTEM,
            patient=hospital.patient,
            site=hospital.main,
            exams=[ExamRequest("74150", "C4", "CT ABD", hospital.ct.pk)],
            at=AT,
            door="hl7",
            source="hl7",
            priority=Priority.STAT,
            placer=Placer("P1", "HIS"),
            accession="A1",
            referral=Referral(hospital.referrer.pk, "Hart^Eva^^Dr"),
        ).order
    author = make_user(
        "falk", Role.RADIOLOGIST, first_name="Ines", last_name="Falk", title="Dr", provider_id="R7"
    )
    return SimpleNamespace(hospital=hospital, ehr=ehr, peer=peer, order=order, author=author)


def report_for(chain):
    report = Report.objects.create(
        patient=chain.hospital.patient, site=chain.hospital.main, author=chain.author, created_at=AT
    )
    report.requested_procedures.set(chain.order.requested_procedures.all())
    return report


def release(chain, report, status, number=1, text=TEXT):
    version = ReportVersion.objects.create(
        report=report,
        number=number,
        status=status,
        sections=[
            {"key": "findings", "title": "Findings", "text": text},
            {"key": "technique", "title": "Technique", "text": ""},
            {"key": "impression", "title": "Impression", "text": "Ureteric stone."},
        ],
        signed_by=chain.author,
        signed_by_display="Dr Ines Falk",
        signed_at=AT + datetime.timedelta(minutes=number),
        reason="Wrong patient" if status == "cancelled" else "",
        digest=f"{number}",
    )
    with transaction.atomic():
        publish(
            name=EVENTS[status],
            aggregate=f"report:{report.pk}",
            payload={"report_id": report.pk, "version_id": version.pk},
        )
    while relay_once():
        pass
    return version


def test_oru_is_valid_and_says_everything(chain):
    release(chain, report_for(chain), "final")
    tasks.deliveries_send()
    data = chain.ehr.got[0].decode()
    assert Validator.validate(parse_message(data, validation_level=1))
    message = foreign_hl7.parse(data)
    msh, pid, orc, obr = (message.segment(name) for name in ("MSH", "PID", "ORC", "OBR"))
    assert str(msh[9]) == "ORU^R01^ORU_R01"
    assert (str(msh[3]), str(msh[4]), str(msh[5])) == ("ISOCENTER", "MAIN", "EHR")
    assert str(msh[18]) == "UNICODE UTF-8"
    assert str(pid[3]) == "4711^^^MRN^MR"
    assert str(pid[5]) == "Falk^Ines^^^^^L^A~山田^太郎^^^^^L^I"
    assert (str(pid[7]), str(pid[8])) == ("19700102", "F")
    assert (str(orc[1]), str(orc[2]), str(obr[2])) == ("RE", "P1^HIS", "P1^HIS")
    assert (str(obr[3]), str(obr[18])) == ("A1^ISOCENTER", "A1")
    assert str(obr[4]) == "74150^CT abdomen^C4"
    assert str(obr[16]) == "D100^Hart^Eva^^^Dr"
    assert str(obr[25]) == "F"
    assert str(obr[32]) == "R7&Falk&Ines&&&Dr"
    texts = [obx for obx in message.segments("OBX") if str(obx[2]) == "FT"]
    assert [str(obx[3]) for obx in texts] == [
        "59776-5^Findings^LN",
        "19005-8^Impression^LN",
    ]
    assert {str(obx[11]) for obx in texts} == {"F"}
    assert message.unescape(str(texts[0][5]).replace("\\.br\\", "\n")) == TEXT


@pytest.mark.parametrize(
    ("status", "code", "observation"),
    [
        ("preliminary", "P", "P"),
        ("final", "F", "F"),
        ("appended", "C", "C"),
        ("corrected", "C", "C"),
        ("cancelled", "C", "W"),
    ],
)
def test_status_codes(chain, status, code, observation):
    release(chain, report_for(chain), status)
    tasks.deliveries_send()
    message = foreign_hl7.parse(chain.ehr.got[0].decode())
    assert str(message.segment("OBR")[25]) == code
    assert {str(obx[11]) for obx in message.segments("OBX")} == {observation}
    if status == "cancelled":
        assert "withdrawn. Wrong patient" in str(message)
        assert "stone" not in str(message)


def test_ledger_and_audit_name_the_delivery(chain):
    version = release(chain, report_for(chain), "final")
    row = selectors.deliveries_of([f"report-version:{version.pk}"]).get()
    assert (row.status, row.attempts) == ("queued", 0)
    tasks.deliveries_send()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.last_error) == ("done", 1, "")
    assert "MSA|AA" in row.acknowledgement
    assert selectors.deliveries_visible_to(chain.hospital.scheduler).get() == row
    assert not selectors.deliveries_visible_to(chain.hospital.north_scheduler).exists()


def test_an_event_that_comes_twice_is_sent_once(chain):
    report = report_for(chain)
    version = release(chain, report, "final")
    with transaction.atomic():
        publish(
            name=EVENTS["final"],
            aggregate=f"report:{report.pk}",
            payload={"report_id": report.pk, "version_id": version.pk},
        )
    relay_once()
    tasks.deliveries_send()
    assert len(chain.ehr.got) == 1


def test_only_peers_of_the_site_that_want_results_get_them(chain):
    hospital = chain.hospital
    for name, more in (
        ("north", {"site": hospital.north, "events": ["oru"], "send_host": "127.0.0.1"}),
        ("silent", {"site": hospital.main, "events": ["status"], "send_host": "127.0.0.1"}),
        ("nowhere", {"site": hospital.main, "events": ["oru"], "send_host": ""}),
        ("off", {"site": hospital.main, "events": ["oru"], "send_host": "x", "active": False}),
    ):
        Hl7Peer.objects.create(name=name, app=name, send_port=1, **more)
    release(chain, report_for(chain), "final")
    assert [row.peer for row in Delivery.objects.all()] == [chain.peer]


def test_in_order_for_a_patient_also_when_the_peer_was_away(chain):
    report = report_for(chain)
    chain.ehr.answers = [""]  # takes the message, answers nothing
    release(chain, report, "preliminary", 1)
    release(chain, report, "final", 2)
    release(chain, report, "corrected", 3)
    tasks.deliveries_send()
    first, second, _ = Delivery.objects.order_by("pk")
    assert chain.ehr.statuses == ["P"]  # the others wait for the first
    assert (first.status, first.attempts, second.attempts) == ("queued", 1, 0)
    assert "without an acknowledgement" in first.last_error
    Delivery.objects.update(due_at=F("created_at"))
    tasks.deliveries_send()
    assert chain.ehr.statuses == ["P", "P", "F", "C"]
    control_ids = [str(foreign_hl7.parse(d.decode()).segment("MSH")[10]) for d in chain.ehr.got]
    assert control_ids[0] == control_ids[1]
    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}


def test_a_peer_that_does_not_answer_is_shown_and_the_item_closes_by_itself(chain):
    release(chain, report_for(chain), "final")
    Hl7Peer.objects.filter(pk=chain.peer.pk).update(send_port=1)
    for _ in range(3):
        Delivery.objects.update(due_at=F("created_at"))
        tasks.deliveries_send()
    item = selectors.attention_visible_to(chain.hospital.scheduler).get()
    assert item.kind == "peer-unreachable"
    assert "refused" in item.summary
    Hl7Peer.objects.filter(pk=chain.peer.pk).update(send_port=chain.ehr.port)
    Delivery.objects.update(due_at=F("created_at"))
    tasks.deliveries_send()
    assert not selectors.attention_visible_to(chain.hospital.scheduler).exists()


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_refused_shown_edited_and_sent_again(chain, code):
    chain.ehr.answers = [f"{code} unknown patient"]
    release(chain, report_for(chain), "final")
    tasks.deliveries_send()
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", f"{code}: unknown patient")
    scheduler = chain.hospital.scheduler
    item = selectors.attention_visible_to(scheduler).get()
    assert item.kind == "delivery-dead"
    tasks.deliveries_send()
    assert len(chain.ehr.got) == 1  # not again by itself

    services.delivery_abandon(actor=scheduler, delivery_id=row.pk, reason="Phoned", at=AT)
    assert not selectors.attention_visible_to(scheduler).exists()
    services.delivery_take_up(actor=scheduler, delivery_id=row.pk, at=clock.now())
    assert selectors.attention_visible_to(scheduler).exists()
    with pytest.raises(NotFoundError):
        services.delivery_resend(
            actor=chain.hospital.north_scheduler, delivery_id=row.pk, at=clock.now()
        )
    edited = row.payload.replace("4711^^^MRN", "4712^^^MRN")
    services.delivery_resend(actor=scheduler, delivery_id=row.pk, at=clock.now(), payload=edited)
    tasks.deliveries_send()
    row.refresh_from_db()
    assert row.status == "done"
    assert b"4712^^^MRN" in chain.ehr.got[1]
    assert not selectors.attention_visible_to(scheduler).exists()
    with pytest.raises(ConflictError):
        services.delivery_resend(actor=scheduler, delivery_id=row.pk, at=clock.now())


def test_a_sender_that_died_leaves_the_message_to_the_next_one(chain):
    release(chain, report_for(chain), "final")
    now = clock.now()
    assert services.delivery_claim(at=now).attempts == 1
    assert services.delivery_claim(at=now) is None
    later = services.delivery_claim(at=now + deliveries.LEASE)
    assert later.attempts == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"nonsense", "cannot be read"),
        (b"MSH|^~\\&|E|F|I|M|1||ACK|9|P|2.5\rMSA|AA|OTHER\r", "not to"),
        (b"MSH|^~\\&|E|F|I|M|1||ACK|9|P|2.5\rMSA|ZZ|R1\r", "0008"),
        (b"MSH|^~\\&|E|F|I|M|1||ACK|9|P|2.5\r", "0008"),
    ],
)
def test_answers_that_are_none(answer, words):
    with pytest.raises(tasks.MllpError, match=words):
        tasks.read_acknowledgement(answer, "R1")


def test_words_of_a_refusal():
    answer = (
        b"MSH|^~\\&|E|F|I|M|1||ACK|9|P|2.5\rMSA|CE|R1\rERR||PID^1^3|204^Unknown key|E||||No such\r"
    )
    assert tasks.read_acknowledgement(answer, "R1") == ("CE", "No such")


def test_peers_own_character_set(chain):
    Hl7Peer.objects.filter(pk=chain.peer.pk).update(charset="8859/1")
    chain.hospital.patient.name_ideographic = ""
    chain.hospital.patient.save()
    release(chain, report_for(chain), "final", text="Stein, 4 mm groß")
    tasks.deliveries_send()
    assert "groß".encode("latin-1") in chain.ehr.got[0]
    assert b"|8859/1" in chain.ehr.got[0]


def test_register_peer_command(hospital, capsys):
    from django.core.management import call_command

    call_command(
        "register_hl7_peer",
        "RIS",
        "--app",
        "R",
        "--send",
        "10.0.0.1:2575",
        "--events",
        "oru,status",
    )
    peer = Hl7Peer.objects.get(name="RIS")
    assert (peer.app, peer.site.code, peer.send_host, peer.send_port, peer.events) == (
        "R",
        "MAIN",
        "10.0.0.1",
        2575,
        ["oru", "status"],
    )
    assert "10.0.0.1:2575" in capsys.readouterr().out
    with pytest.raises(InvalidInputError):
        hl7_peer_register(actor=SYSTEM, name="X", site_code="MAIN")
    assert User.objects.exists()
