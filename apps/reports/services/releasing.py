"""Releasing a report: preliminary, signed, added to, corrected, withdrawn."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError, TransitionNotAllowedError
from apps.core.words import date_words
from apps.reports import audit_events
from apps.reports.domain import (
    ADDENDUM,
    RELEASED,
    Section,
    clean_sections,
    clean_text,
    has_words,
    open_fields,
)
from apps.reports.models import DraftKind, Report, ReportVersion
from apps.reports.steps import claim_for, expect_revision, release, report_lock

REAUTHENTICATION_LASTS = datetime.timedelta(minutes=5)
"""How long after the password was given a signature may still follow."""


class ReauthenticationRequiredError(DomainError):
    """A signature needs the signer's password, given just now."""

    code = "reports.reauthentication-required"
    message = "Signing needs your password again. Nothing was signed; the text is saved."


class EmptyReportError(DomainError):
    """There is nothing to release."""

    code = "reports.empty"
    message = "Findings and impression are empty. Write at least one of them."


class OpenFieldsError(DomainError):
    """The template's fields are not all filled."""

    code = "reports.open-fields"


@transaction.atomic(durable=True)
def report_preliminary(
    *, actor: Actor, report_id: int, revision: int, at: datetime.datetime, door: str = "page"
) -> ReportVersion:
    """Release the text as preliminary: staff may act on it, and it may still change.

    Publishes `reports.report.preliminary`.

    Raises:
        NotFoundError: no such report, or hidden from the actor.
        ClaimedByOtherError: another reader has the exam open.
        DraftChangedError: the text is not the one the actor saw.
        EmptyReportError: it says nothing.
        TransitionNotAllowedError: it is signed, or withdrawn.
    """
    report = report_lock(actor, report_id, Permission.REPORT_WRITE)
    sections = _ready(actor, report, revision, DraftKind.REPORT, at, door)
    return release(
        actor=actor,
        report=report,
        event="preliminary",
        sections=sections,
        at=at,
        audit_event=audit_events.PRELIMINARY,
        door=door,
    )


@transaction.atomic(durable=True)
def report_sign(
    *,
    actor: Actor,
    report_id: int,
    revision: int,
    reauthenticated_at: datetime.datetime | None,
    at: datetime.datetime,
    door: str = "page",
) -> ReportVersion:
    """Sign the text as the final report. It completes its order, and ends the claim.

    Publishes `reports.report.finalised`.

    Args:
        actor: the signer, a person with `report.sign`.
        report_id: the report.
        revision: of the text that the signer read.
        reauthenticated_at: when the signer last gave the password for a signature; the edge knows.
        at: now.
        door: for the audit.

    Raises:
        ReauthenticationRequiredError: the password was not given within five minutes.
        NotFoundError: no such report, or hidden from the actor.
        ClaimedByOtherError: another reader has the exam open.
        DraftChangedError: the text is not the one the signer saw.
        EmptyReportError: it says nothing.
        OpenFieldsError: fields of the template stand open.
        TransitionNotAllowedError: it is signed, or withdrawn.
    """
    report = _to_sign(actor, report_id, reauthenticated_at, at)
    sections = _ready(actor, report, revision, DraftKind.REPORT, at, door)
    _refuse_open_fields(sections)
    version = release(
        actor=actor,
        report=report,
        event="sign",
        sections=sections,
        at=at,
        audit_event=audit_events.FINALISED,
        door=door,
    )
    _end_draft(report)
    return version


@transaction.atomic(durable=True)
def report_addend(
    *,
    actor: Actor,
    report_id: int,
    text: str,
    reauthenticated_at: datetime.datetime | None,
    at: datetime.datetime,
    door: str = "page",
) -> ReportVersion:
    """Add a signed addendum: the next version is the last one, word for word, and the addendum.

    Publishes `reports.report.addended`.

    Raises:
        ReauthenticationRequiredError: the password was not given within five minutes.
        NotFoundError: no such report, or hidden from the actor.
        EmptyReportError: the text is empty.
        OpenFieldsError: fields stand open in it.
        TransitionNotAllowedError: the report is not signed.
    """
    report = _to_sign(actor, report_id, reauthenticated_at, at)
    words = clean_text(text)
    if not words:
        message = "The addendum is empty."
        raise EmptyReportError(message)
    last = report.versions.order_by("-number").first()
    if last is None or report.status not in RELEASED:
        message = "Only a signed report takes an addendum."
        raise TransitionNotAllowedError(message, state=report.status)
    addendum = Section(key=ADDENDUM, title=f"Addendum, {date_words(at)}", text=words)
    _refuse_open_fields([addendum])
    version = release(
        actor=actor,
        report=report,
        event="addend",
        sections=[*last.sections, *clean_sections([addendum])],
        at=at,
        audit_event=audit_events.ADDENDED,
        door=door,
    )
    _end_draft(report)
    return version


@transaction.atomic(durable=True)
def report_correct(
    *,
    actor: Actor,
    report_id: int,
    sections: object,
    reason: str,
    reauthenticated_at: datetime.datetime | None,
    at: datetime.datetime,
    door: str = "page",
) -> ReportVersion:
    """Put a corrected text in place of a signed one, with the reason; the old version stays.

    Publishes `reports.report.corrected`.

    Raises:
        ReauthenticationRequiredError: the password was not given within five minutes.
        NotFoundError: no such report, or hidden from the actor.
        InvalidInputError: no reason, or the text is the one that stands.
        EmptyReportError: the text says nothing.
        OpenFieldsError: fields stand open in it.
        TransitionNotAllowedError: the report is not signed.
    """
    report = _to_sign(actor, report_id, reauthenticated_at, at)
    texts = clean_sections(sections)
    why = _reason(reason, "Say what was corrected and why: readers of the first text need to know.")
    if not has_words(texts):
        raise EmptyReportError
    _refuse_open_fields(texts)
    last = report.versions.order_by("-number").first()
    if last is not None and last.sections == texts:
        message = "The corrected text is the same as the signed one."
        raise InvalidInputError(message, field="sections")
    version = release(
        actor=actor,
        report=report,
        event="correct",
        sections=texts,
        at=at,
        audit_event=audit_events.CORRECTED,
        door=door,
        reason=why,
    )
    _end_draft(report)
    return version


@transaction.atomic(durable=True)
def report_cancel(
    *,
    actor: Actor,
    report_id: int,
    reason: str,
    at: datetime.datetime,
    reauthenticated_at: datetime.datetime | None = None,
    door: str = "page",
) -> ReportVersion:
    """Withdraw a report; its exam waits to be read again. All its versions stay on record.

    A draft needs no password; whatever was released does. Publishes `reports.report.cancelled`.

    Raises:
        ReauthenticationRequiredError: it was released, and the password was not given lately.
        NotFoundError: no such report, or hidden from the actor.
        InvalidInputError: no reason.
        TransitionNotAllowedError: it is withdrawn already.
    """
    report = report_lock(actor, report_id, Permission.REPORT_WRITE)
    if report.status != "registered":
        _to_sign(actor, report_id, reauthenticated_at, at)
    why = _reason(reason, "Say why the report is withdrawn.")
    claim_for(report, actor, at, door)
    version = release(
        actor=actor,
        report=report,
        event="cancel",
        sections=[],
        at=at,
        audit_event=audit_events.CANCELLED,
        door=door,
        reason=why,
    )
    report.draft_kind = ""  # the text stays as the draft it was
    report.save(update_fields=["draft_kind"])
    return version


def _to_sign(
    actor: Actor,
    report_id: int,
    reauthenticated_at: datetime.datetime | None,
    at: datetime.datetime,
) -> Report:
    policy.require(actor, Permission.REPORT_SIGN)
    report = report_lock(actor, report_id, Permission.REPORT_SIGN)
    lately = reauthenticated_at is not None and (
        datetime.timedelta(0) <= at - reauthenticated_at <= REAUTHENTICATION_LASTS
    )
    if not lately:
        raise ReauthenticationRequiredError
    return report


def _ready(  # noqa: PLR0917 - private, and all of it is needed
    actor: Actor,
    report: Report,
    revision: int,
    kind: DraftKind,
    at: datetime.datetime,
    door: str,
) -> list[Section]:
    """Return the draft's text where it may be released."""
    if report.draft_kind != kind:
        message = "This report is signed already. Its text changes by addendum or correction only."
        raise TransitionNotAllowedError(message, state=report.status)
    claim_for(report, actor, at, door)
    expect_revision(report, revision)
    if not has_words(report.draft_sections):
        raise EmptyReportError
    return report.draft_sections


def _refuse_open_fields(sections: list[Section]) -> None:
    fields = open_fields(sections)
    if fields:
        message = f"{len(fields)} to fill in or remove: {', '.join(fields[:5])}."
        raise OpenFieldsError(message, fields=fields)


def _reason(text: str, message: str) -> str:
    reason = " ".join(clean_text(text).split())[:300]
    if not reason:
        raise InvalidInputError(message, field="reason")
    return reason


def _end_draft(report: Report) -> None:
    report.draft_kind, report.draft_sections = "", []
    report.draft_revision += 1
    report.save(update_fields=["draft_kind", "draft_sections", "draft_revision"])
