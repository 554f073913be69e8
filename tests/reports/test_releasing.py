"""Preliminary, sign, addendum, correction, withdrawal: versions in stone."""

import datetime

import pytest
from django.db import DatabaseError, transaction

from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.errors import (
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    TransitionNotAllowedError,
)
from apps.core.models import OutboxEvent
from apps.reports import services
from apps.reports.models import Report, ReportVersion
from apps.reports.selectors import chain_verify
from apps.reports.services import EmptyReportError, OpenFieldsError, ReauthenticationRequiredError
from apps.reports.steps import DraftChangedError
from apps.worklists.models import ReadingItem
from tests.reading.test_claim import run_at_once
from tests.reports.writing import addend, correct, draft, preliminary, sections, sign


def published(report):
    rows = OutboxEvent.objects.filter(aggregate=f"report:{report.pk}").order_by("id")
    return [(e.name.rpartition(".")[2], e.payload["version_id"]) for e in rows]


def row_bytes(version):
    """The row as PostgreSQL holds it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT v::text FROM reports_reportversion v WHERE id = %s", [version.pk])
        return cursor.fetchone()[0]


def test_signing_ends_reading_completes_the_order_and_tells(room):
    item = room.item()
    report = draft(room, item)
    version = sign(room, report)
    report.refresh_from_db()
    item.refresh_from_db()
    assert (report.status, version.number, version.status) == ("final", 1, "final")
    assert version.signed_by_display == "Dr R Falk"
    assert version.sections == sections()
    assert (item.state, item.claimed_by) == ("done", None)
    assert item.requested_procedure.order.status == "CM"
    assert published(report) == [("finalised", version.pk)]
    event = AuditEvent.objects.get(event="reports.report.finalised")
    assert event.patient_key == str(report.patient_id)
    assert event.details["digest"] == version.digest


def test_order_waits_for_all_its_exams(room):
    first = room.exam(exams=2)
    second = first.order.requested_procedures.get(number=2)
    sign(room, draft(room, room.item(first)))
    first.order.refresh_from_db()
    assert first.order.status == "RE"
    sign(room, draft(room, room.item(second)))
    first.order.refresh_from_db()
    assert first.order.status == "CM"


def test_preliminary_may_change_and_be_signed(room):
    report = draft(room)
    one = preliminary(room, report)
    report.refresh_from_db()
    assert report.status == "preliminary"
    assert ReadingItem.objects.get().state == "preliminary"
    services.report_autosave(
        actor=room.actor(room.falk),
        report_id=report.pk,
        revision=report.draft_revision,
        sections=sections(findings="Looked again: clear."),
        at=clock.now(),
    )
    two = sign(room, report)
    one.refresh_from_db()
    assert one.sections == sections()
    assert (two.number, two.previous_digest) == (2, one.digest)
    assert [name for name, _ in published(report)] == ["preliminary", "finalised"]


def test_first_version_is_the_same_byte_for_byte_after_addendum_and_correction(room):
    one = sign(room)
    before = row_bytes(one)
    two = addend(room, one.report)
    three = correct(room, one.report)
    assert row_bytes(one) == before
    assert two.sections[:-1] == one.sections
    assert two.sections[-1]["key"] == "addendum"
    assert two.sections[-1]["text"] == "Compared with Eastfield."
    assert three.reason == "Side"
    assert [v.status for v in one.report.versions.order_by("number")] == [
        "final", "appended", "corrected",
    ]  # fmt: skip
    assert chain_verify(one.report) == chain_verify(one.report)
    assert chain_verify(one.report).broken is None


@pytest.mark.parametrize(
    "change",
    [
        lambda: ReportVersion.objects.update(sections=[]),
        lambda: ReportVersion.objects.update(status="corrected"),
        lambda: ReportVersion.objects.all().delete(),
        lambda: Report.objects.update(status="registered"),
        lambda: Report.objects.update(status="preliminary"),
        lambda: Report.objects.update(status="nonsense"),
    ],
)
def test_database_refuses_to_change_what_was_signed(room, change):
    version = sign(room)
    with pytest.raises(DatabaseError), transaction.atomic():
        change()
    version.refresh_from_db()
    assert version.sections == sections()


def test_forged_version_breaks_the_chain(room):
    version = sign(room)
    ReportVersion.objects.create(
        report=version.report,
        number=2,
        status="corrected",
        sections=sections(findings="Forged"),
        signed_by=room.falk,
        signed_by_display="Dr R Falk",
        signed_at=clock.now(),
        previous_digest=version.digest,
        digest="0" * 64,
    )
    assert chain_verify(version.report).broken == 2


@pytest.mark.parametrize("age", [None, datetime.timedelta(minutes=5, seconds=1)])
def test_signature_needs_the_password_just_now(room, age):
    report = draft(room)
    at = clock.now()
    with pytest.raises(ReauthenticationRequiredError):
        services.report_sign(
            actor=room.actor(room.falk),
            report_id=report.pk,
            revision=report.draft_revision,
            reauthenticated_at=at - age if age else None,
            at=at,
        )
    report.refresh_from_db()
    assert report.status == "registered"


def test_text_that_the_signer_did_not_see_is_not_signed(room):
    report = draft(room)
    with pytest.raises(DraftChangedError):
        services.report_sign(
            actor=room.actor(room.falk),
            report_id=report.pk,
            revision=report.draft_revision - 1,
            reauthenticated_at=clock.now(),
            at=clock.now(),
        )


def test_empty_and_unfilled_reports_are_not_signed(room):
    with pytest.raises(EmptyReportError):
        sign(room, draft(room, indication="Pain", findings=" "))
    with pytest.raises(OpenFieldsError, match=r"\[side\]"):
        sign(room, draft(room, findings="Nodule, [side]."))


@pytest.mark.parametrize("who", ["technologist", "hart", "north_reader"])
def test_only_a_reader_of_the_site_signs(room, who):
    report = draft(room)
    with pytest.raises((NotPermittedError, NotFoundError)):
        sign(room, report, getattr(room, who))
    signed = sign(room, report)
    with pytest.raises((NotPermittedError, NotFoundError)):
        services.report_addend(
            actor=room.actor(getattr(room, who)),
            report_id=signed.report_id,
            text="x",
            reauthenticated_at=clock.now(),
            at=clock.now(),
        )


def test_reader_with_the_exam_open_keeps_others_from_signing(room):
    report = draft(room)
    with pytest.raises(Exception, match="Falk, R has been reading this"):
        sign(room, report, room.osei)


def test_drafts_take_no_addendum_and_signed_reports_no_second_signature(room):
    report = draft(room)
    with pytest.raises(TransitionNotAllowedError):
        addend(room, report)
    with pytest.raises(TransitionNotAllowedError):
        correct(room, report)
    sign(room, report)
    with pytest.raises(TransitionNotAllowedError):
        sign(room, report)
    with pytest.raises(TransitionNotAllowedError):
        preliminary(room, report)


def test_correction_needs_a_reason_and_a_difference(room):
    version = sign(room)
    with pytest.raises(InvalidInputError):
        correct(room, version.report, reason=" ")
    same = {s["key"]: s["text"] for s in version.sections}
    with pytest.raises(InvalidInputError):
        correct(room, version.report, **same)
    with pytest.raises(EmptyReportError):
        addend(room, version.report, " \n ")


def test_withdrawn_report_frees_its_exam(room):
    item = room.item()
    version = sign(room, draft(room, item))
    actor = room.actor(room.falk)
    with pytest.raises(ReauthenticationRequiredError):
        services.report_cancel(
            actor=actor, report_id=version.report_id, reason="Wrong patient", at=clock.now()
        )
    end = services.report_cancel(
        actor=actor,
        report_id=version.report_id,
        reason="Wrong patient",
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )
    assert (end.status, end.sections, end.reason) == ("cancelled", [], "Wrong patient")
    item.refresh_from_db()
    assert item.state == "unread"
    assert item.requested_procedure.order.status == "IP"
    assert published(version.report)[-1] == ("cancelled", end.pk)
    again = draft(room, item)
    assert again.pk != version.report_id
    sign(room, again)
    item.requested_procedure.order.refresh_from_db()
    assert item.requested_procedure.order.status == "CM"


def test_draft_is_withdrawn_without_a_password(room):
    report = draft(room)
    services.report_cancel(
        actor=room.actor(room.falk), report_id=report.pk, reason="Twice", at=clock.now()
    )
    report.refresh_from_db()
    assert report.status == "cancelled"


def test_race_of_signatures_has_one_version(committed_room):
    room = committed_room
    report = draft(room)
    results = run_at_once(*(lambda: sign(room, report) for _ in range(4)))
    assert sum(isinstance(r, ReportVersion) for r in results) == 1
    assert sum(isinstance(r, TransitionNotAllowedError) for r in results) == 3
    assert OutboxEvent.objects.filter(name="reports.report.finalised").count() == 1


def test_race_of_addenda_keeps_both_in_a_row(committed_room):
    room = committed_room
    report = sign(room).report
    run_at_once(*(lambda t=t: addend(room, report, t) for t in ("One.", "Two.")))
    last = report.versions.order_by("-number").first()
    assert last.number == 3
    assert {s["text"] for s in last.sections if s["key"] == "addendum"} == {"One.", "Two."}
    assert chain_verify(report).broken is None
