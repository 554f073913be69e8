"""Orders: the machine, accession numbers, referrers' grants, unknown codes, who sees what."""

import datetime
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import AccessGrant
from apps.core.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    TransitionNotAllowedError,
)
from apps.core.models import OutboxEvent
from apps.orders import selectors, services, steps
from apps.orders.domain import (
    ORDER,
    ExamRequest,
    Indication,
    OrderChange,
    Placer,
    Priority,
    Referral,
    fits_accession,
)
from apps.orders.models import AccessionSequence, Order, OrderAttention, ProcedureMapping
from apps.patients.services import patient_merge
from tests.orders.conftest import AT, SYSTEM, build_hospital, register


def exam(procedure, **more):
    return ExamRequest(
        code=procedure.code,
        coding_scheme=procedure.coding_scheme,
        description=procedure.meaning,
        procedure_id=procedure.pk,
        **more,
    )


def place(hospital, *exams, actor=None, patient=None, **more):
    more.setdefault("indication", Indication(reason="Pain"))
    return services.order_place(
        actor=actor or hospital.scheduler,
        patient_id=(patient or hospital.patient).pk,
        site_id=hospital.main.pk,
        exams=exams or [exam(hospital.ct)],
        at=AT,
        **more,
    )


def place_step(hospital, *exams, **more):
    with transaction.atomic():
        return steps.order_place(
            actor=SYSTEM,
            patient=more.pop("patient", hospital.patient),
            site=more.pop("site", hospital.main),
            exams=exams or [exam(hospital.ct)],
            at=AT,
            door="hl7",
            source="hl7",
            **more,
        )


def test_placing(hospital):
    order = place(
        hospital,
        exam(hospital.ct),
        exam(hospital.us, laterality="L"),
        priority=Priority.STAT,
        referral=Referral(user_id=hospital.referrer.pk, name="Hart^Eva", service="ER"),
    )
    assert order.accession_number == "MAIN0000001"
    assert order.status == "RE"
    one, two = order.requested_procedures.order_by("number")
    assert (one.modality, two.modality, two.laterality) == ("CT", "US", "L")
    assert one.study_instance_uid != two.study_instance_uid
    assert len(one.study_instance_uid) <= 64
    assert len(one.requested_procedure_id) <= 16
    assert OutboxEvent.objects.get(name="orders.order.placed").payload == {"order_id": order.pk}


def test_referrer_and_practice_see_the_exam_and_nobody_else(hospital):
    order = place(hospital, referral=Referral(user_id=hospital.referrer.pk))
    key = order.requested_procedures.get().pk
    assert AccessGrant.objects.filter(exam_key=key).count() == 2
    for actor in (hospital.referrer_actor, hospital.colleague, hospital.scheduler):
        assert selectors.order_access(actor, order.pk) == order
        assert selectors.exam_access(actor, key).pk == key
        assert list(selectors.orders_visible_to(actor)) == [order]
    for actor in (hospital.other_referrer, hospital.north_scheduler):
        assert list(selectors.orders_visible_to(actor)) == []
        assert list(selectors.exams_visible_to(actor)) == []
        with pytest.raises(NotFoundError):
            selectors.order_access(actor, order.pk)


def test_refusals(hospital):
    with pytest.raises(NotPermittedError):
        place(hospital, actor=hospital.radiologist)
    with pytest.raises(NotPermittedError):
        place(hospital, actor=hospital.north_scheduler)
    with pytest.raises(InvalidInputError, match="why"):
        place(hospital, indication=Indication(reason=" "))
    with pytest.raises(InvalidInputError, match="catalogue"):
        place(hospital, ExamRequest(code="X"))
    with pytest.raises(InvalidInputError, match="side"):
        place(hospital, exam(hospital.ct, laterality="X"))
    assert not Order.objects.exists()


def test_vetting_comes_first_where_the_catalogue_says_so(hospital):
    order = place(hospital, exam(hospital.mr))
    assert order.status == "VT"
    services.order_accept(actor=hospital.scheduler, order_id=order.pk, at=AT)
    order.refresh_from_db()
    assert order.status == "RE"


# Every event in every state.


@pytest.mark.parametrize("state", ORDER.states)
@pytest.mark.parametrize("event", ORDER.events)
def test_every_event_in_every_state(hospital, event, state):
    order = place(hospital)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE orders_order SET status = %s", [state])
        cursor.execute("SET session_replication_role = origin")
    with transaction.atomic():
        if (event, state) in ORDER.table:
            after = ORDER.table[event, state]
            moved = steps.order_move(actor=SYSTEM, order=order, event=event, at=AT, door="task")
            assert moved == (state, after)
        else:
            with pytest.raises(TransitionNotAllowedError):
                steps.order_move(actor=SYSTEM, order=order, event=event, at=AT, door="task")


def test_the_database_refuses_what_the_table_does_not_have(hospital):
    order = place(hospital)
    with pytest.raises(Exception, match="Invalid transition"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(status="DC")


def test_cancel(hospital):
    order = place(hospital)
    services.order_cancel(actor=hospital.scheduler, order_id=order.pk, reason="Not needed", at=AT)
    order.refresh_from_db()
    assert (order.status, order.cancel_reason) == ("CA", "Not needed")
    services.order_cancel(actor=hospital.scheduler, order_id=order.pk, reason="", at=AT)
    assert OutboxEvent.objects.filter(name="orders.order.moved").count() == 1
    booked = place(hospital)
    with transaction.atomic():
        steps.order_move(actor=SYSTEM, order=booked, event="schedule", at=AT, door="page")
    with pytest.raises(ConflictError):
        services.order_cancel(actor=hospital.scheduler, order_id=booked.pk, reason="", at=AT)
    with pytest.raises(NotFoundError):
        services.order_cancel(actor=hospital.north_scheduler, order_id=order.pk, reason="", at=AT)


def test_change(hospital):
    order = place(hospital)
    change = OrderChange(
        priority=Priority.URGENT,
        indication=Indication(reason="Worse"),
        referral=Referral(user_id=hospital.referrer.pk, name="Hart^Eva"),
        exam=exam(hospital.us),
    )
    services.order_change(actor=hospital.scheduler, order_id=order.pk, change=change, at=AT)
    order.refresh_from_db()
    row = order.requested_procedures.get()
    assert (order.priority, order.reason, row.code, row.modality) == (
        "urgent",
        "Worse",
        "USABD",
        "US",
    )
    assert selectors.order_access(hospital.referrer_actor, order.pk)
    services.order_change(actor=hospital.scheduler, order_id=order.pk, change=change, at=AT)
    assert OutboxEvent.objects.filter(name="orders.order.changed").count() == 1
    with transaction.atomic():
        steps.order_move(actor=SYSTEM, order=order, event="schedule", at=AT, door="page")
    with pytest.raises(steps.OrderClosedError, match="booked"):
        services.order_change(
            actor=hospital.scheduler,
            order_id=order.pk,
            change=OrderChange(exam=exam(hospital.ct)),
            at=AT,
        )


# Accession numbers.


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("A1", True),
        ("x" * 16, True),
        ("x" * 17, False),
        ("", False),
        ("a\\b", False),
        ("a\n", False),
    ],
)
def test_fits_accession(value, fits):
    assert fits_accession(value) is fits


def test_accession_of_the_sender_is_kept_and_unique_for_its_issuer(hospital):
    first = place_step(hospital, accession="RIS-1", placer=Placer("P1", "HIS")).order
    assert first.accession_number == "RIS-1"
    other = place_step(hospital, site=hospital.north, accession="RIS-1").order
    assert other.issuer_of_accession_number == "N"
    with pytest.raises(steps.AccessionTakenError):
        place_step(hospital, accession="RIS-1", placer=Placer("P2", "HIS"))


def test_long_accession_becomes_the_placer_number(hospital):
    order = place_step(hospital, accession="x" * 17).order
    assert (order.accession_number, order.placer_order_number) == ("MAIN0000001", "x" * 17)
    named = place_step(hospital, accession="y" * 17, placer=Placer("P1", "HIS")).order
    assert (named.accession_number, named.placer_order_number) == ("MAIN0000002", "P1")


def test_issued_numbers_pass_over_those_that_senders_took(hospital):
    place_step(hospital, accession="MAIN0000001")
    assert place_step(hospital).order.accession_number == "MAIN0000002"


def test_issued_numbers_are_never_recycled(hospital):
    assert place(hospital).accession_number == "MAIN0000001"
    services.order_cancel(
        actor=hospital.scheduler, order_id=Order.objects.get().pk, reason="", at=AT
    )
    assert place(hospital).accession_number == "MAIN0000002"


def test_placing_again_finds_the_order(hospital):
    placer = Placer("P1", "HIS")
    first = place_step(hospital, placer=placer)
    again = place_step(hospital, placer=placer)
    assert first.created
    assert not again.created
    assert again.order == first.order
    with pytest.raises(steps.PlacerNumberTakenError):
        place_step(hospital, exam(hospital.us), placer=placer)
    with pytest.raises(steps.PlacerNumberTakenError):
        place_step(hospital, placer=placer, patient=register("4712"))
    assert place_step(hospital, exam(hospital.us), placer=Placer("P1", "OTHER")).created


@pytest.mark.django_db(transaction=True)
def test_parallel_orders_get_distinct_numbers_and_one_order_for_one_placer_number():
    hospital = build_hospital()
    barrier = threading.Barrier(6)
    placed, errors = [], []

    def run(number):
        try:
            barrier.wait(10)
            placed.append(place_step(hospital, placer=Placer(f"P{number % 3}", "HIS")))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert sum(one.created for one in placed) == 3
    assert sorted(Order.objects.values_list("accession_number", flat=True)) == [
        f"MAIN000000{n}" for n in (1, 2, 3)
    ]


@pytest.mark.django_db(transaction=True)
def test_the_race_exists_without_the_lock():
    hospital = build_hospital()
    AccessionSequence.objects.create(site=hospital.main)
    barrier = threading.Barrier(4)
    errors = []

    def naive():
        try:
            with transaction.atomic():
                assert selectors.order_by_placer(number="P", issuer="HIS") is None
                barrier.wait(10)
                Order.objects.create(
                    site=hospital.main,
                    patient=hospital.patient,
                    accession_number=threading.current_thread().name[-8:],
                    issuer_of_accession_number="M",
                    placer_order_number="P",
                    placer_issuer="HIS",
                    ordered_at=AT,
                )
        except IntegrityError as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=naive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 3


# Codes.


def test_code_lookup(hospital):
    find = selectors.procedure_for_code
    assert find(code="CTABD", coding_scheme="L") == hospital.ct
    assert find(code="CTABD") == hospital.ct
    assert find(code="CTABD", coding_scheme="CPT") is None
    assert find(code="74150", peer=hospital.peer) is None
    ProcedureMapping.objects.create(peer=hospital.peer, code="74150", procedure=hospital.ct)
    assert find(code="74150", coding_scheme="C4", peer=hospital.peer) == hospital.ct
    assert find(code="74150") is None
    assert find(code="") is None


def test_unknown_code_is_accepted_resolved_and_undone(hospital):
    placed = place_step(
        hospital, ExamRequest("74150", "C4", "CT ABD W/O"), peer_id=hospital.peer.pk
    )
    order = placed.order
    assert order.status == "VT"
    item = selectors.attention_visible_to(hospital.scheduler).get()
    assert "74150" in item.summary
    assert not selectors.attention_visible_to(hospital.north_scheduler).exists()
    with pytest.raises(ConflictError):
        services.order_accept(actor=hospital.scheduler, order_id=order.pk, at=AT)
    with pytest.raises(NotFoundError):
        services.unknown_procedure_resolve(
            actor=hospital.north_scheduler,
            item_id=item.pk,
            procedure_id=hospital.ct.pk,
            remember=True,
            at=AT,
        )
    services.unknown_procedure_resolve(
        actor=hospital.scheduler,
        item_id=item.pk,
        procedure_id=hospital.ct.pk,
        remember=True,
        at=AT,
    )
    order.refresh_from_db()
    assert (order.status, order.requested_procedures.get().modality) == ("RE", "CT")
    assert selectors.procedure_for_code(code="74150", peer=hospital.peer) == hospital.ct
    assert not selectors.attention_visible_to(hospital.scheduler).exists()

    services.unknown_procedure_undo(actor=hospital.scheduler, item_id=item.pk, at=AT)
    order.refresh_from_db()
    row = order.requested_procedures.get()
    assert (order.status, row.procedure, row.modality, row.description) == (
        "VT",
        None,
        "",
        "CT ABD W/O",
    )
    assert selectors.procedure_for_code(code="74150", peer=hospital.peer) is None
    assert selectors.attention_visible_to(hospital.scheduler).get() == item


def test_cancelling_closes_the_item(hospital):
    order = place_step(hospital, ExamRequest("74150")).order
    services.order_cancel(actor=hospital.scheduler, order_id=order.pk, reason="", at=AT)
    assert OrderAttention.objects.get().resolution == "The order was cancelled"


def test_duplicates_are_found_under_a_merged_number(hospital):
    other = register("4712")
    place(hospital, patient=other)
    find = selectors.duplicates
    args = {"patient": hospital.patient, "procedure_ids": [hospital.ct.pk], "at": AT}
    assert find(hospital.scheduler, **args) == []
    patient_merge(actor=SYSTEM, patient_id=other.pk, into_id=hospital.patient.pk, reason="", at=AT)
    assert len(find(hospital.scheduler, **args)) == 1
    assert find(hospital.north_scheduler, **args) == []
    late = AT + datetime.timedelta(days=31)
    assert find(hospital.scheduler, **{**args, "at": late}) == []


@pytest.mark.parametrize("text", ["ct", "CT abd", "abdomen ct", "ctabd"])
def test_catalogue_search(hospital, text):
    assert selectors.procedures_matching(text) == [hospital.ct]
