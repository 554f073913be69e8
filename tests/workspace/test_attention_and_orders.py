"""The attention page mends each kind of break and takes it back; ordering, and one order."""

import json

import pytest
from django.urls import reverse

from apps.accounts.domain import Role
from apps.accounts.models import Hl7Peer
from apps.exchange.models import Delivery, ExchangeAttention
from apps.exchange.services import delivery_bury
from apps.hl7.models import Hl7Attention
from apps.orders.domain import ExamRequest
from apps.orders.models import Order, OrderAttention, ProcedureMapping
from apps.studies.models import Study, StudyAttention, StudyMatch
from apps.worklists.models import PerformedStep, WorklistAttention
from apps.workspace.attention.selectors import BY_KEY, KINDS
from tests.hl7.conftest import PID, header, message, send
from tests.orders.conftest import AT, SYSTEM, build_hospital, make_user, register
from tests.orders.test_orders import exam, place, place_step
from tests.shell.conftest import strict_templates  # noqa: F401 -- autouse


@pytest.fixture
def hospital(db):
    built = build_hospital()
    built.admin = make_user("boss", Role.ADMINISTRATOR, built.main, home_site=built.main)
    built.desk = make_user("desk", Role.SCHEDULER, built.main, home_site=built.main)
    built.north_desk = make_user("ndesk", Role.SCHEDULER, built.north, home_site=built.north)
    return built


@pytest.fixture
def admin(client, hospital):
    client.force_login(hospital.admin, backend="django.contrib.auth.backends.ModelBackend")
    return client


def do(client, item, verb, **said):
    address = reverse("workspace:attention-do", kwargs={"key": item.address, "verb": verb})
    answer = client.post(address, said, follow=True)
    assert answer.status_code == 200
    return list(answer.context["messages"])


def take_back(client, note):
    answer = client.post(note.extra_tags)
    assert answer.status_code == 204
    return json.loads(answer["HX-Trigger"])["toast"]["text"]


def study_of(hospital, patient=None, **more):
    return Study.objects.create(
        study_instance_uid=f"1.2.{Study.objects.count()}",
        patient=patient or hospital.patient,
        site=hospital.main,
        modalities_in_study=["CT"],
        received_patient_name="FALK^INES",
        received_patient_id="4711",
        number_of_instances=2,
        source="CT1",
        first_received_at=AT,
        **more,
    )


def study_item(hospital, kind, study, **details):
    return StudyAttention.objects.create(
        kind=kind,
        site=hospital.main,
        key=study.study_instance_uid,
        summary="Images without an order",
        details=details,
        opened_at=AT,
        study=study,
    )


def test_nothing_broken(admin):
    page = admin.get(reverse("workspace:attention"))
    assert "The chain holds" in page.content.decode()


def test_unknown_procedure_is_mapped_and_taken_back(admin, hospital):
    placed = place_step(
        hospital, ExamRequest("74150", "C4", "CT abdomen w/o"), peer_id=hospital.peer.pk
    )
    item = OrderAttention.objects.get()
    page = admin.get(reverse("workspace:attention")).content.decode()
    assert "Nobody told us what 74150 means" in page
    assert f'value="{hospital.ct.pk}" checked' in page  # the best guess
    (note,) = do(admin, item, "map", procedure=hospital.ct.pk, remember="1")
    assert ProcedureMapping.objects.get().procedure == hospital.ct
    placed.order.refresh_from_db()
    assert placed.order.status == "RE"
    mended = admin.get(reverse("workspace:attention"), {"kind": "mended"}).content.decode()
    assert "74150 is CT CT abdomen" in mended
    assert take_back(admin, note) == "74150 is unknown again"
    assert not ProcedureMapping.objects.exists()


def test_choosing_nothing_is_said(admin, hospital):
    place_step(hospital, ExamRequest("QQ", "C4", "QQ"))
    (note,) = do(admin, OrderAttention.objects.get(), "map")
    assert note.level_tag == "error"


def test_images_are_linked_and_unlinked(admin, hospital):
    order = place(hospital)
    study = study_of(hospital)
    item = study_item(hospital, "unmatched", study)
    page = admin.get(reverse("workspace:attention")).content.decode()
    assert "2 images arrived that belong to no order" in page
    assert order.accession_number in page
    (note,) = do(admin, item, "link", exam=order.requested_procedures.get().pk)
    assert StudyMatch.objects.get().study == study
    assert "belong to no order" in take_back(admin, note)
    assert not StudyMatch.objects.exists()


def test_two_records_of_one_person_are_merged_linked_and_taken_back(admin, hospital):
    order = place(hospital)
    other = register("4712", name="Falck^Ines")
    study = study_of(hospital, other)
    row = order.requested_procedures.get()
    item = study_item(hospital, "conflict", study, requested_procedure_id=row.pk, evidence="x")
    page = admin.get(reverse("workspace:attention")).content.decode()
    assert "Images and order name different patients" in page
    (note,) = do(admin, item, "merge")
    other.refresh_from_db()
    assert other.survivor == hospital.patient
    assert StudyMatch.objects.get().requested_procedure == row
    take_back(admin, note)
    other.refresh_from_db()
    assert other.survivor is None


def test_refused_message_is_shown_and_closed(admin, hospital):
    send(message(header("ADT^A04"), PID))
    send(message(header("ADT^A08", "C2"), "PID|||4711^^^MRN~4712^^^MRN||A^B<script>"))
    item = Hl7Attention.objects.get()
    page = admin.get(reverse("workspace:attention")).content.decode()
    assert "4711^^^MRN~4712^^^MRN" in page
    assert "<script>" not in page.split("As it came")[1]
    (note,) = do(admin, item, "replay")
    assert "Refused again" in str(note)
    (note,) = do(admin, item, "close", reason="The sender mends it")
    item.refresh_from_db()
    assert item.resolution == "The sender mends it"
    assert take_back(admin, note) == "It stands open again"
    (note,) = do(admin, item, "close")
    assert note.level_tag == "error"


def test_refused_result_is_given_up_taken_up_and_sent_again(admin, hospital):
    peer = Hl7Peer.objects.create(
        name="EHR", app="EHR", site=hospital.main, send_host="127.0.0.1", send_port=1
    )
    delivery = Delivery.objects.create(
        kind="oru",
        reference="report-version:1",
        ordering_key=f"patient:{hospital.patient.pk}",
        peer=peer,
        control_id="R1.1",
        payload="MSH|^~\\&|ISOCENTER\rPID|1\r",
        due_at=AT,
        created_at=AT,
    )
    delivery_bury(
        actor=SYSTEM, delivery_id=delivery.pk, reason="AE: no", acknowledgement="MSA|AE", at=AT
    )
    item = ExchangeAttention.objects.get()
    assert "EHR refused a result" in admin.get(reverse("workspace:attention")).content.decode()
    (note,) = do(admin, item, "give-up")
    take_back(admin, note)
    do(admin, item, "send", payload="MSH|^~\\&|ISOCENTER\r\nPID|2\r\n")
    delivery.refresh_from_db()
    assert (delivery.status, delivery.payload) == ("queued", "MSH|^~\\&|ISOCENTER\rPID|2\r")


def test_every_kind_has_a_case(admin, hospital):
    study = study_of(hospital)
    study_item(hospital, "other-version", study)
    step = PerformedStep.objects.create(
        sop_instance_uid="1.2.3",
        site=hospital.main,
        performed_procedure_step_id="P1",
        performed_station_ae_title="CT1",
        modality="CT",
        started_at=AT,
        study_instance_uid="1.2.3.4",
    )
    scanner = [kind.key for kind in KINDS if kind.model is WorklistAttention]
    for key in scanner:
        WorklistAttention.objects.create(
            kind=key,
            site=hospital.main,
            key="1.2.3",
            summary="Said by the scanner",
            details={"station": "CT1"},
            opened_at=AT,
            performed_step=step,
        )
    for key in [*scanner, "other-version"]:
        page = admin.get(reverse("workspace:attention"), {"kind": key})
        assert page.status_code == 200
        assert page.context["current"].kind == BY_KEY[key]


# Ordering.


def order_form(hospital, **more):
    return {
        "procedure": hospital.ct.pk,
        "laterality": "L",
        "priority": "urgent",
        "reason": "Colic",
        "reason_code": "N20.1",
        "reason_scheme": "I10",
        "clinical_info": "Allergic to iodine",
        "referrer": hospital.referrer.pk,
        "service": "ER",
        "site": hospital.main.pk,
        **more,
    }


@pytest.fixture
def desk(client, hospital):
    client.force_login(hospital.desk, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_ordering_and_taking_it_back(desk, hospital):
    address = f"{reverse('workspace:order-new')}?patient={hospital.patient.pk}"
    assert desk.get(address).status_code == 200
    answer = desk.post(address, order_form(hospital), follow=True)
    order = Order.objects.get()
    assert answer.redirect_chain[0][0] == reverse("workspace:order", kwargs={"pk": order.pk})
    assert (order.priority, order.reason, order.reason_code) == ("urgent", "Colic", "N20.1")
    assert order.referrer == hospital.referrer
    assert order.requested_procedures.get().laterality == "L"
    (note,) = answer.context["messages"]
    assert take_back(desk, note) == "The order is taken back"
    order.refresh_from_db()
    assert order.status == "CA"


def test_a_second_exam_of_a_kind_asks_first(desk, hospital):
    place(hospital)
    address = f"{reverse('workspace:order-new')}?patient={hospital.patient.pk}"
    alerts = desk.get(
        reverse("workspace:order-alerts"),
        {"patient": hospital.patient.pk, "procedure": hospital.ct.pk},
    ).content.decode()
    assert "CT abdomen is ordered already" in alerts
    answer = desk.post(address, order_form(hospital))
    assert answer.status_code == 422
    assert "order it all the same" in answer.content.decode()
    assert Order.objects.count() == 1
    desk.post(address, order_form(hospital, all_the_same="1"))
    assert Order.objects.count() == 2


def test_what_is_missing_is_said_and_nothing_is_ordered(desk, hospital):
    address = f"{reverse('workspace:order-new')}?patient={hospital.patient.pk}"
    answer = desk.post(address, order_form(hospital, reason="", site=hospital.north.pk))
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"reason", "site"}
    assert not Order.objects.exists()


def test_cancelling_and_accepting(desk, hospital):
    order = place(hospital, exam(hospital.mr))
    page = reverse("workspace:order", kwargs={"pk": order.pk})
    assert "Accept" in desk.get(page).content.decode()
    desk.post(reverse("workspace:order-accept", kwargs={"pk": order.pk}))
    order.refresh_from_db()
    assert order.status == "RE"
    cancel = reverse("workspace:order-cancel", kwargs={"pk": order.pk})
    desk.post(cancel)
    order.refresh_from_db()
    assert order.status == "RE"  # not without a reason
    desk.post(cancel, {"reason": "Not needed"})
    order.refresh_from_db()
    assert order.status == "CA"
