"""Orders in: ORC-1 by its table, accession numbers, unknown codes, referrers' access."""

import datetime

import pytest
from django.db import transaction

from apps.accounts.models import Hl7Peer
from apps.core.actors import system_actor
from apps.hl7.models import Hl7Attention
from apps.orders.models import Order, OrderAttention, ProcedureMapping
from apps.orders.selectors import orders_visible_to
from apps.orders.steps import order_move
from apps.scheduling.models import OpeningHours, Room
from apps.scheduling.services.booking import appointment_book
from tests.hl7.conftest import PID, answered, header, message, send
from tests.orders.conftest import AT

PV1 = "PV1|1|O|CLINIC^12^1^North Hospital"


def orm(
    control="NW",
    control_id="C1",
    *,
    placer="P1",
    accession="",
    code="CTABD^CT^L",
    pid=PID,
    orc="",
    obr="",
):
    orc = orc or f"ORC|{control}|{placer}^HIS||||||||||D100^Hart^Eva^^^Dr"
    obr = obr or (
        f"OBR|1|{placer}^HIS||{code}|||||||||Known stone|||||{accession}|||||||||^^^^^S||||^Colic"
    )
    return message(header("ORM^O01^ORM_O01", control_id), pid, PV1, orc, obr)


def test_new_order(hospital):
    ack = send(orm(accession="RIS-77^ISO"))
    assert answered(ack) == ("AA", [])
    order = Order.objects.get()
    assert (order.accession_number, order.issuer_of_accession_number) == (
        "RIS-77",
        hospital.main.issuer_of_accession_number,
    )
    assert (order.placer_order_number, order.placer_issuer) == ("P1", "HIS")
    assert (order.status, order.priority, order.source) == ("RE", "stat", "hl7")
    assert (order.reason, order.clinical_info) == ("Colic", "Known stone")
    assert order.requesting_service == "North Hospital CLINIC 12 1"
    assert order.referring_physician_name == "Hart^Eva^^Dr"
    assert order.patient.identifiers.get().value == "4712"
    exam = order.requested_procedures.get()
    assert (exam.procedure, exam.modality) == (hospital.ct, "CT")
    for actor in (hospital.referrer_actor, hospital.colleague, hospital.scheduler):
        assert list(orders_visible_to(actor)) == [order]
    for actor in (hospital.other_referrer, hospital.north_scheduler):
        assert list(orders_visible_to(actor)) == []


def test_priority_and_wanted_time_of_tq1_and_obr(hospital):
    zoned = "TQ1|1||||||20261201083000||A"
    data = message(
        header("ORM^O01"), PID, "ORC|NW|P1", zoned, "OBR|1|P1||CTABD^CT^L", "NTE|1||Diabetic"
    )
    assert answered(send(data))[0] == "AA"
    order = Order.objects.get()
    assert order.priority == "urgent"
    assert order.requested_at == datetime.datetime(2026, 12, 1, 8, 30, tzinfo=datetime.UTC)
    assert order.clinical_info == "Diabetic"


@pytest.mark.parametrize(
    ("code", "priority"), [("S", "stat"), ("A", "urgent"), ("R", "routine"), ("", "routine")]
)
def test_priorities_of_orc_7(hospital, code, priority):
    orc = f"ORC|NW|P1^HIS|||||^^^^^{code}"
    send(orm(orc=orc, obr="OBR|1|P1^HIS||CTABD^CT^L"))
    assert Order.objects.get().priority == priority


def test_accession_is_issued_where_none_came(hospital):
    send(orm())
    assert Order.objects.get().accession_number == "MAIN0000001"


def test_accession_where_the_sender_keeps_it(hospital):
    Hl7Peer.objects.filter(pk=hospital.peer.pk).update(accession_field="ORC-3")
    send(orm(orc="ORC|NW|P1^HIS|F-9^RIS"))
    assert Order.objects.get().accession_number == "F-9"


def test_long_accession(hospital):
    send(orm(accession="X" * 17, orc="ORC|NW", obr=f"OBR|1|||CTABD^CT^L||||||||||||||{'X' * 17}"))
    order = Order.objects.get()
    assert (order.accession_number, order.placer_order_number) == ("MAIN0000001", "X" * 17)


def test_accession_of_another_order_is_refused_whole(hospital):
    send(orm(accession="A1"))
    code, errors = answered(send(orm(control_id="C2", placer="P2", accession="A1")))
    assert code == "AE"
    assert errors[0][1] == "205"
    assert Order.objects.count() == 1
    assert Hl7Attention.objects.filter(resolved_at=None).count() == 1


def test_unknown_code_is_accepted_and_shown(hospital):
    code, errors = answered(send(orm(code="74150^CT ABD W/O^C4")))
    assert code == "AA"
    assert errors[0][:3] == ("W", "103", "OBR^1^4")
    order = Order.objects.get()
    exam = order.requested_procedures.get()
    assert (order.status, exam.procedure, exam.description) == ("VT", None, "CT ABD W/O")
    item = OrderAttention.objects.get()
    assert item.details["peer_id"] == hospital.peer.pk


def test_mapped_code(hospital):
    ProcedureMapping.objects.create(peer=hospital.peer, code="74150", procedure=hospital.ct)
    assert answered(send(orm(code="74150^CT ABD W/O^C4"))) == ("AA", [])
    assert Order.objects.get().requested_procedures.get().procedure == hospital.ct


def test_several_exams(hospital):
    data = message(
        header("ORM^O01"),
        PID,
        "ORC|NW|P1",
        "OBR|1|P1||CTABD^CT^L||||||||||||||A1",
        "ORC|NW|P2",
        "OBR|2|P2||USABD^US^L||||||||||||||A1",
        "ORC|NW|P3",
        "OBR|3|P3||CTABD^CT^L",
        "OBR|4|P3||USABD^US^L",
    )
    assert answered(send(data)) == ("AA", [])
    one, two = Order.objects.order_by("pk")
    assert one.accession_number == "A1"
    assert [e.code for e in one.requested_procedures.order_by("number")] == ["CTABD", "USABD"]
    assert [e.code for e in two.requested_procedures.order_by("number")] == ["CTABD", "USABD"]


def test_all_of_a_message_or_nothing(hospital):
    data = message(
        header("ORM^O01"), PID, "ORC|NW|P1", "OBR|1|P1||CTABD^CT^L", "ORC|CA|NONE", "OBR|2|NONE"
    )
    code, errors = answered(send(data))
    assert code == "AE"
    assert errors[0][1] == "204"
    assert not Order.objects.exists()
    assert not Order.objects.model.patient.field.related_model.objects.filter(
        identifiers__value="4712"
    ).exists()


def test_cancel_change_discontinue(hospital):
    send(orm())
    order = Order.objects.get()
    obr = "OBR|1|P1^HIS||USABD^US^L|||||||||||||||||||||||^^^^^R||||^Worse"
    assert answered(send(orm("XO", "C2", obr=obr)))[0] == "AA"
    order.refresh_from_db()
    assert (order.priority, order.reason) == ("routine", "Worse")
    assert order.requested_procedures.get().procedure == hospital.us
    assert answered(send(orm("CA", "C3"))) == ("AA", [])
    order.refresh_from_db()
    assert order.status == "CA"
    code, errors = answered(send(orm("CA", "C4")))
    assert code == "AA"
    assert errors[0][0] == "W"
    assert answered(send(orm("XO", "C5", obr=obr)))[0] == "AE"
    assert answered(send(orm("DC", "C6")))[0] == "AA"


def under_way(order):
    with transaction.atomic():
        order_move(actor=system_actor("test"), order=order, event="start", at=AT, door="task")


def booked(hospital, exam):
    room = Room.objects.create(
        site=hospital.main, code="CT1", name="CT 1", modality="CT", scheduled_station_ae_title="CT1"
    )
    OpeningHours.objects.bulk_create(
        OpeningHours(room=room, weekday=day, opens="00:00", closes="23:55") for day in range(7)
    )
    return appointment_book(
        actor=hospital.scheduler,
        requested_procedure_id=exam.pk,
        room_id=room.pk,
        start_at=AT + datetime.timedelta(hours=1),
        at=AT,
    )


def test_cancelling_a_booked_order_frees_its_slot(hospital):
    send(orm())
    order = Order.objects.get()
    appointment = booked(hospital, order.requested_procedures.get())
    order.refresh_from_db()
    assert order.status == "SC"
    assert answered(send(orm("CA", "C2"))) == ("AA", [])
    order.refresh_from_db()
    appointment.refresh_from_db()
    assert (order.status, appointment.status) == ("CA", "cancelled")
    assert appointment.scheduled_steps.get().status == "CANCELED"


def test_an_exam_under_way_is_discontinued_and_not_cancelled(hospital):
    send(orm())
    order = Order.objects.get()
    under_way(order)
    code, errors = answered(send(orm("CA", "C2")))
    assert code == "AE"
    assert "IP" in errors[0][3]
    assert answered(send(orm("DC", "C3"))) == ("AA", [])
    order.refresh_from_db()
    assert order.status == "DC"
    assert answered(send(orm("DC", "C4")))[0] == "AA"


def test_cancel_by_our_number(hospital):
    send(orm(orc="ORC|NW", obr="OBR|1|||CTABD^CT^L"))
    number = Order.objects.get().accession_number
    data = orm("CA", "C2", orc=f"ORC|CA||{number}", obr=f"OBR|1||{number}|CTABD")
    assert answered(send(data)) == ("AA", [])


def test_cancel_for_another_patient_is_refused(hospital):
    send(orm())
    code, errors = answered(send(orm("CA", "C2", pid=PID.replace("4712", "4711"))))
    assert code == "AE"
    assert "another patient" in errors[0][3]
    assert Order.objects.get().status == "RE"


def test_cancel_of_another_site_is_unknown(hospital):
    send(orm())
    Hl7Peer.objects.create(name="N", app="N", site=hospital.north)
    data = orm("CA", "C2").replace(b"HIS|NORTHHOSP", b"N|NORTHHOSP")
    code, errors = answered(send(data))
    assert (code, errors[0][1]) == ("AE", "204")


def test_the_same_order_in_a_new_message_is_not_made_twice(hospital):
    send(orm())
    code, errors = answered(send(orm(control_id="C2")))
    assert code == "AA"
    assert errors[0][:2] == ("W", "205")
    code, errors = answered(send(orm(control_id="C3", code="USABD^US^L")))
    assert (code, errors[0][1]) == ("AE", "205")
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("segments", "code", "words"),
    [
        ([PID], "101", "no ORC"),
        ([PID, "ORC|NW|P1"], "101", "no OBR"),
        ([PID, "ORC||P1", "OBR|1|P1||CTABD"], "101", "ORC-1 is empty"),
        ([PID, "ORC|SN|P1", "OBR|1|P1||CTABD"], "103", "CA, DC, NW, XO"),
        ([PID, "ORC|NW|P1", "OBR|1|P1"], "101", "OBR-4 is empty"),
        ([PID, "ORC|NW|P1|||||^^^soon", "OBR|1|P1||CTABD"], "102", "not a date"),
        (["ORC|NW|P1", "OBR|1|P1||CTABD"], "101", "no PID"),
    ],
)
def test_refusals(hospital, segments, code, words):
    got, errors = answered(send(message(header("ORM^O01"), *segments)))
    assert (got, errors[0][1]) == ("AE", code)
    assert words in errors[0][3]
    assert not Order.objects.exists()
