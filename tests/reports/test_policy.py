"""Who reads what: state x role, versions, and refusals on record."""

import pytest

from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.errors import NotFoundError
from apps.reports import services
from apps.reports.selectors import (
    exam_report_states,
    prior_reports,
    report_access,
    reports_of_exams,
    reports_visible_to,
    version_access,
    versions_visible_to,
)
from tests.reports.writing import addend, correct, draft, preliminary, sign

ROLES = ("falk", "admin", "north_reader", "technologist", "hart", "lind", "stranger")
STAFF = {"falk", "admin"}
GRANTED = {"hart", "lind"}
# state -> who reads the report; hart asked for the exam, lind is of the same practice
MATRIX = {
    "registered": STAFF,
    "preliminary": STAFF,
    "final": STAFF | GRANTED,
    "appended": STAFF | GRANTED,
    "corrected": STAFF | GRANTED,
    "cancelled": STAFF,
}


def report_in(room, state):
    report = draft(room)
    if state == "preliminary":
        preliminary(room, report)
    if state in {"final", "appended", "corrected", "cancelled"}:
        sign(room, report)
    if state == "appended":
        addend(room, report)
    if state == "corrected":
        correct(room, report)
    if state == "cancelled":
        services.report_cancel(
            actor=room.actor(room.falk),
            report_id=report.pk,
            reason="x",
            reauthenticated_at=clock.now(),
            at=clock.now(),
        )
    report.refresh_from_db()
    assert report.status == state
    return report


@pytest.mark.parametrize("state", MATRIX)
def test_list_and_object_agree_for_every_role(room, state):
    report = report_in(room, state)
    seen = set()
    for role in ROLES:
        actor = room.actor(getattr(room, role))
        listed = reports_visible_to(actor).filter(pk=report.pk).exists()
        try:
            report_access(actor, report.pk)
        except NotFoundError:
            assert not listed
        else:
            assert listed
            seen.add(role)
    assert seen == MATRIX[state]


def test_referrer_never_reads_a_preliminary_version(room):
    report = draft(room)
    preliminary(room, report)
    hart, falk = room.actor(room.hart), room.actor(room.falk)
    with pytest.raises(NotFoundError):
        version_access(hart, report.pk, 1)
    sign(room, report)
    assert version_access(falk, report.pk, 1).status == "preliminary"
    assert version_access(hart, report.pk, 2).status == "final"
    with pytest.raises(NotFoundError):
        version_access(hart, report.pk, 1)
    assert [v.number for v in versions_visible_to(hart, report)] == [2]
    assert [v.number for v in versions_visible_to(falk, report)] == [2, 1]


def test_refusal_of_what_exists_is_on_record_and_of_what_does_not_is_not(room):
    report = sign(room).report
    stranger = room.actor(room.stranger)
    for key in (report.pk, report.pk + 1000):
        with pytest.raises(NotFoundError):
            report_access(stranger, key)
    event = AuditEvent.objects.get(event="reports.report.refused")
    assert (event.actor_key, event.object_key) == (stranger.key, f"report:{report.pk}")
    assert event.outcome == 4


def test_grant_that_ended_shows_nothing(room):
    from apps.accounts.models import AccessGrant

    report = sign(room).report
    AccessGrant.objects.update(revoked_at=clock.now())
    assert not reports_visible_to(room.actor(room.hart)).filter(pk=report.pk).exists()


def test_very_restricted_report_is_read_by_grant_only(room):
    item = room.item(patient=room.patient(confidentiality="V"))
    admin = room.admin
    report = draft(room, item, admin)
    sign(room, report, admin)
    assert reports_visible_to(room.actor(admin)).exists()  # holds confidential.read
    assert not reports_visible_to(room.actor(room.falk)).exists()
    assert reports_visible_to(room.actor(room.hart)).exists()


def test_state_of_an_exams_report_says_nothing_else(room):
    item = room.item()
    preliminary(room, draft(room, item))
    exam = item.requested_procedure_id
    assert exam_report_states([exam]) == {exam: "preliminary"}
    assert reports_of_exams(room.actor(room.hart), [exam]) == {}
    assert list(reports_of_exams(room.actor(room.falk), [exam])) == [exam]


def test_priors_of_the_same_kind_come_first(room):
    patient = room.patient()
    same = sign(room, draft(room, room.item(patient=patient))).report
    other = sign(room, draft(room, room.item(patient=patient, procedure=room.xr))).report
    sign(room, draft(room, room.item()))  # somebody else's
    now = draft(room, room.item(patient=patient))
    assert prior_reports(room.actor(room.falk), now) == [same, other]
