"""ADT in: registered, updated, once only; refused in words, kept always."""

import datetime
import threading

import pytest
from django.db import OperationalError, connection

from apps.accounts.models import Hl7Peer
from apps.audit.models import AuditEvent
from apps.hl7 import services
from apps.hl7.domain.acknowledgement import AckCode, ErrorCode
from apps.hl7.errors import ANSWERS
from apps.hl7.models import Hl7Attention, Hl7Message
from apps.hl7.selectors import attention_visible_to
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import patient_by_identifier
from tests.hl7.conftest import PID, answered, header, message, send
from tests.orders.conftest import AT, build_hospital


@pytest.mark.parametrize("event", ["A01", "A04", "A08", "A28", "A31"])
def test_register(hospital, event):
    data = message(header(f"ADT^{event}^ADT_A01"), "EVN||20261124", PID)
    ack = send(data)
    assert answered(ack) == ("AA", [])
    assert ack.first("MSA").value(2) == "C1"
    assert ack.msh.value(5) == "HIS"
    assert ack.message_code == "ACK"
    assert ack.trigger_event == event
    patient = patient_by_identifier(value="4712", issuer="MRN")
    assert patient.name_alphabetic == "Lind^Karin^^Dr"
    assert patient.birth_date == datetime.date(1980, 2, 3)
    assert patient.sex == "F"
    row = Hl7Message.objects.get()
    assert bytes(row.raw) == data
    assert (row.outcome, row.peer, row.effects) == ("AA", hospital.peer, [f"patient:{patient.pk}"])
    assert bytes(row.acknowledgement).startswith(b"MSH|")
    event = AuditEvent.objects.get(event="patients.patient.registered", actor_key="hl7:HIS")
    assert event.door == "hl7"


def test_update_keeps_what_is_not_said_and_deletes_what_is_null(hospital):
    send(message(header("ADT^A04"), PID + "|||Street 1^^Town||0301/1"))
    send(message(header("ADT^A08", "C2"), 'PID|1||4712^^^MRN||Lind-Berg^Karin||""|'))
    patient = patient_by_identifier(value="4712", issuer="MRN")
    assert patient.name_alphabetic == "Lind-Berg^Karin"
    assert patient.birth_date is None
    assert patient.sex == "F"
    assert patient.phone == "0301/1"
    assert patient.address == "Street 1, Town"


def test_every_identifier_is_kept_under_its_issuer(hospital):
    Hl7Peer.objects.filter(pk=hospital.peer.pk).update(issuer="HISNUM")
    send(message(header("ADT^A04"), "PID|||7^^^^PI~8^^^NHS&1.2&ISO^NH~9^^^MRN^MR~1^^^X^AN||A^B"))
    rows = PatientIdentifier.objects.filter(patient__name_alphabetic="A^B").order_by("value")
    assert [(row.value, row.issuer, row.primary) for row in rows] == [
        ("7", "HISNUM", True),
        ("8", "NHS", False),
        ("9", "MRN", False),
    ]


def test_a_number_without_issuer_joins_nobody_of_another_issuer(hospital):
    send(message(header("ADT^A04"), "PID|||4711||Other^Person"))
    assert Patient.objects.count() == 2
    other = patient_by_identifier(value="4711", issuer=hospital.main.issuer_of_patient_id)
    assert other.name_alphabetic == "Other^Person"


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("8859/7", "iso8859_7", "Παπαδόπουλος^Γιώργος"),
        ("UNICODE UTF-8", "utf-8", "Παπαδόπουλος^Γιώργος"),
        ("~ISO IR87", "iso2022_jp", "山田^太郎"),
        ("GB 18030-2000", "gb18030", "王^小东"),
    ],
)
def test_character_sets_round_trip(hospital, charset, encoding, name):
    data = message(header("ADT^A04", charset=charset), f"PID|||1^^^MRN||{name}", encoding=encoding)
    assert answered(send(data))[0] == "AA"
    assert patient_by_identifier(value="1", issuer="MRN").name_alphabetic == name


def test_japanese_name_in_three_forms(hospital):
    pid = "PID|||1^^^MRN||Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
    data = message(header("ADT^A04", charset="~ISO IR87"), pid, encoding="iso2022_jp")
    send(data)
    patient = patient_by_identifier(value="1", issuer="MRN")
    assert patient.name_alphabetic == "Yamada^Tarou"
    assert patient.name_ideographic == "山田^太郎"
    assert patient.name_phonetic == "やまだ^たろう"


def test_a_senders_usual_character_set(hospital):
    Hl7Peer.objects.filter(pk=hospital.peer.pk).update(charset="8859/7")
    send(message(header("ADT^A04"), "PID|||1^^^MRN||Παππάς", encoding="iso8859_7"))
    assert patient_by_identifier(value="1", issuer="MRN").name_alphabetic == "Παππάς"


# Refusals.


@pytest.mark.parametrize(
    ("segments", "expected", "words"),
    [
        ([header("ADT^A04")], ("AE", "101", "PID^1"), "no PID"),
        ([header("ADT^A04"), "PID|||||A^B"], ("AE", "101", "PID^1^3"), "no patient identifier"),
        ([header("ADT^A04"), "PID|||1||A||yesterday"], ("AE", "102", "PID^1^7"), "not a date"),
        ([header("ADT^A04", ""), PID], ("AE", "101", "MSH^1^10"), "MSH-10"),
        ([header("ADT^A17"), PID], ("AR", "201", "MSH^1^9"), "A01, A04, A08"),
        ([header("DFT^P03"), PID], ("AR", "200", "MSH^1^9"), "ADT and ORM"),
        ([header("ADT^A04", version="3"), PID], ("AR", "203", "MSH^1^12"), "2.x"),
        ([header("ADT^A04", sender=("X", "Y")), PID], ("AR", "103", "MSH^1^3"), "not registered"),
        ([header("ADT^A04"), PID, header("ADT^A04")], ("AR", "100", "MSH^1"), "more than one MSH"),
        (
            [header("ADT^A04", charset="KLINGON"), PID, "NTE|1||ü"],
            ("AR", "103", "MSH^1^18"),
            "0211",
        ),
    ],
)
def test_refusals_in_words(hospital, segments, expected, words):
    data = message(*segments)
    ack = send(data)
    got, errors = answered(ack)
    assert [(got, e[1], e[2]) for e in errors] == [expected]
    assert errors[0][0] == "E"
    assert words in errors[0][3]
    assert ack.first("MSA").value(2) in ("C1", "")
    row = Hl7Message.objects.get()
    assert bytes(row.raw) == data
    assert row.outcome == got
    assert Patient.objects.count() == 1  # the one of the fixture


def test_no_hl7_at_all(hospital):
    ack = send(b"hello")
    assert answered(ack)[0] == "AR"
    assert Hl7Message.objects.get().reason.startswith("the message does not begin")


def test_open_to_strangers(hospital, settings):
    settings.ISOCENTER_OPEN_HL7 = True
    assert answered(send(message(header("ADT^A04", sender=("X", "Y")), PID)))[0] == "AA"
    assert patient_by_identifier(value="4712", issuer="MRN")


def test_identifiers_of_two_people_are_refused_and_shown(hospital):
    send(message(header("ADT^A04"), PID))
    data = message(header("ADT^A08", "C2"), "PID|||4711^^^MRN~4712^^^MRN||A^B")
    code, errors = answered(send(data))
    assert code == "AE"
    assert errors[0][1] == "205"
    item = attention_visible_to(hospital.scheduler).get()
    assert bytes(item.message.raw) == data
    assert not attention_visible_to(hospital.north_scheduler).exists()
    send(data)
    assert Hl7Attention.objects.count() == 1


def test_unknown_sex_is_a_warning(hospital):
    code, errors = answered(send(message(header("ADT^A04"), "PID|||1^^^M||A^B|||1")))
    assert code == "AA"
    assert errors[0][:3] == ("W", "103", "PID^1^8")


# Once only.


def test_the_same_message_again_gets_the_same_acknowledgement(hospital):
    data = message(header("ADT^A04"), PID)
    first = send(data)
    send(message(header("ADT^A08", "C2"), PID.replace("Karin", "Carina")))
    again = send(data)
    assert again == first
    patient = patient_by_identifier(value="4712", issuer="MRN")
    assert patient.name_alphabetic.startswith("Lind^Carina")  # the repeat did not undo the update
    assert Hl7Message.objects.filter(repeat_of__isnull=False).count() == 1


def test_control_id_is_the_senders_own(hospital):
    Hl7Peer.objects.create(name="B", app="B", facility="F", site=hospital.main)
    send(message(header("ADT^A04"), PID))
    data = message(header("ADT^A04", sender=("B", "F")), PID.replace("Karin", "Carina"))
    assert answered(send(data))[0] == "AA"
    assert patient_by_identifier(value="4712", issuer="MRN").name_alphabetic == "Lind^Carina^^Dr"


def test_control_id_with_another_content_is_refused(hospital):
    send(message(header("ADT^A04"), PID))
    code, errors = answered(send(message(header("ADT^A04"), PID.replace("Karin", "Carina"))))
    assert code == "AE"
    assert errors[0][1:3] == ("205", "MSH^1^10")
    assert patient_by_identifier(value="4712", issuer="MRN").name_alphabetic == "Lind^Karin^^Dr"


def test_a_refused_message_may_come_again_when_its_reason_is_gone(hospital):
    data = message(header("ADT^A04", sender=("NEW", "F")), PID)
    assert answered(send(data))[0] == "AR"
    Hl7Peer.objects.create(name="NEW", app="NEW", site=hospital.main)
    assert answered(send(data))[0] == "AA"


def test_replay_after_mending(hospital):
    send(message(header("ADT^A04"), PID))
    data = message(header("ADT^A08", "C2"), "PID|||4711^^^MRN~4712^^^MRN||A^B")
    send(data)
    PatientIdentifier.objects.filter(value="4712").delete()
    row = Hl7Message.objects.get(control_id="C2")
    services.message_replay(actor=hospital.scheduler, message_id=row.pk, at=AT)
    row.refresh_from_db()
    assert (row.outcome, row.attempts) == ("AA", 2)
    assert not Hl7Attention.objects.filter(resolved_at=None).exists()
    assert patient_by_identifier(value="4712", issuer="MRN").name_alphabetic == "A^B"
    with pytest.raises(services.MessageSettledError):
        services.message_replay(actor=hospital.scheduler, message_id=row.pk, at=AT)


def race(work, count):
    barrier = threading.Barrier(count)
    results = []

    def run(number):
        try:
            barrier.wait(10)
            results.append(work(number))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_one_message_sent_many_times_at_once_has_one_effect():
    build_hospital()
    data = message(header("ADT^A04"), PID)
    acks = race(lambda _: send(data), 6)
    assert len({str(ack) for ack in acks}) == 1
    assert answered(acks[0]) == ("AA", [])
    assert Hl7Message.objects.filter(repeat_of=None).count() == 1
    assert Hl7Message.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_parallel_creates_of_one_patient_make_one_row():
    build_hospital()
    acks = race(lambda n: send(message(header("ADT^A04", f"C{n}"), PID)), 6)
    assert [answered(ack)[0] for ack in acks] == ["AA"] * 6
    assert Patient.objects.filter(identifiers__value="4712").count() == 1


def test_a_fault_of_ours_is_answered_with_ar_and_the_message_stays(hospital, monkeypatch):
    from apps.hl7 import steps

    def broken(work):
        steps.adt(work)
        raise OperationalError("connection lost")

    data = message(header("ADT^A04"), PID)
    with monkeypatch.context() as patch:
        patch.setitem(steps.EVENTS, ("ADT", "A04"), broken)
        code, errors = answered(send(data))
    assert code == "AR"
    assert errors[0][1] == "207"
    assert "send it again" in errors[0][3]
    assert patient_by_identifier(value="4712", issuer="MRN") is None
    assert bytes(Hl7Message.objects.get().raw) == data
    assert answered(send(data))[0] == "AA"


def test_the_error_table_is_total():
    from apps.core.errors import DomainError

    def below(kind):
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    apps = ("core", "accounts", "patients", "orders", "scheduling", "hl7")
    codes = {
        kind.code for kind in (DomainError, *below(DomainError)) if kind.code.split(".")[0] in apps
    }
    assert codes <= set(ANSWERS)
    for code, error in ANSWERS.values():
        assert code in (AckCode.ERROR, AckCode.REJECT)
        assert error is not ErrorCode.ACCEPTED
