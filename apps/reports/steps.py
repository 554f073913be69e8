"""Steps of reports that their commands share."""

import datetime
from collections.abc import Sequence

from apps.accounts.domain import Permission
from apps.accounts.models import User
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.core.steps import publish, require_transaction, transition
from apps.orders.domain import ORDER
from apps.orders.steps import order_move
from apps.reports import policies
from apps.reports.domain import EVENT_OF_RELEASE, RELEASED, REPORT, Section, version_digest
from apps.reports.models import Report, ReportVersion
from apps.reports.selectors import signer_name, version_content
from apps.worklists.models import ReadingItem
from apps.worklists.reading.steps import group_claim, group_lock, state_set

State = ReadingItem.State
READING_STATE = {"preliminary": State.PRELIMINARY, "cancelled": State.UNREAD}


class DraftChangedError(ConflictError):
    """The text was changed after the actor last saw it."""

    code = "reports.draft-changed"
    message = "The text was changed after this page last saved it. Read it again, then repeat."


def report_lock(actor: Actor, report_id: int, permission: Permission) -> Report:
    """Lock a report on which the actor holds the permission.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    require_transaction()
    report = (
        Report.objects.select_for_update(of=("self",))
        .select_related("patient", "site")
        .filter(pk=report_id)
        .first()
    )
    if report is None or not policies.allows(actor, permission, report):
        raise NotFoundError(report=report_id)
    return report


def expect_revision(report: Report, revision: int) -> None:
    """Refuse to release a text that the actor has not seen.

    Raises:
        DraftChangedError: it was saved again since.
    """
    if report.draft_revision != revision:
        raise DraftChangedError(revision=report.draft_revision)


def reading_items(report: Report) -> list[ReadingItem]:
    """Return the lines of the reading list that the report is about."""
    exams = list(report.requested_procedures.values_list("pk", flat=True))
    if exams:
        rows = ReadingItem.objects.filter(requested_procedure__in=exams)
    else:
        rows = ReadingItem.objects.filter(
            requested_procedure=None, study__in=report.studies.values("pk")
        )
    return list(rows.order_by("pk"))


def claim_for(report: Report, actor: Actor, at: datetime.datetime, door: str) -> None:
    """Take or renew the actor's claim on what the report is about.

    Raises:
        ClaimedByOtherError: another reader has it open.
    """
    for item in reading_items(report):
        if item.state != State.DONE:
            group_claim(actor=actor, group=group_lock(item.pk), at=at, door=door)


def release(
    *,
    actor: Actor,
    report: Report,
    event: str,
    sections: Sequence[Section],
    at: datetime.datetime,
    audit_event: str,
    door: str,
    reason: str = "",
) -> ReportVersion:
    """Take a step of the report's machine and set the next version in stone.

    Moves the reading list and the order along, audits, and publishes what happened with
    `{report_id, version_id}`.

    Raises:
        TransitionNotAllowedError: the report is not in a state for this.
    """
    _, after = transition(report, REPORT, event)
    signer = User.objects.get(pk=actor.user_id or 0)
    last = report.versions.order_by("-number").first()
    version = ReportVersion(
        report=report,
        number=last.number + 1 if last else 1,
        status=after,
        sections=list(sections),
        signed_by=signer,
        signed_by_display=signer_name(signer),
        signed_at=at,
        reason=reason,
        previous_digest=last.digest if last else "",
    )
    version.digest = version_digest(version_content(version))
    version.save(force_insert=True)
    _move_reading(report, actor, after)
    _move_orders(report, actor, after, at, door)
    record(
        actor=actor,
        event=audit_event,
        door=door,
        patient=report.patient_id,
        study=report.studies.values_list("study_instance_uid", flat=True).first() or "",
        key=f"report:{report.pk}",
        version=version.number,
        digest=version.digest,
        reason=reason,
    )
    publish(
        name=EVENT_OF_RELEASE[after],
        aggregate=f"report:{report.pk}",
        payload={"report_id": report.pk, "version_id": version.pk},
    )
    return version


def _move_reading(report: Report, actor: Actor, status: str) -> None:
    state = READING_STATE.get(status, State.DONE)
    state_set(
        exams=list(report.requested_procedures.values_list("pk", flat=True)),
        studies=list(report.studies.values_list("pk", flat=True)),
        state=state,
        reader=actor.user_id if state == State.PRELIMINARY else None,
    )


def _move_orders(
    report: Report, actor: Actor, status: str, at: datetime.datetime, door: str
) -> None:
    """Complete each order whose exams all have their report; reopen it where one is withdrawn."""
    if status not in {*RELEASED, "cancelled"}:
        return
    for exam in report.requested_procedures.select_related("order").order_by("order_id", "pk"):
        order = exam.order
        if status == "cancelled":
            event, due = "reopen", order.status == "CM"
        else:
            unread = order.requested_procedures.exclude(reports__status__in=RELEASED)
            event, due = "complete", not unread.exists()
        if due and ORDER.allows(event, order.status):
            order_move(actor=actor, order=order, event=event, at=at, door=door)
