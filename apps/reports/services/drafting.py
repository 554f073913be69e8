"""Starting a report and writing it, so that no word is lost."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import NotFoundError, TransitionNotAllowedError
from apps.core.steps import transition
from apps.core.words import age, date_words, sex_words
from apps.orders.models import RequestedProcedure
from apps.patients.selectors import current
from apps.reports import audit_events
from apps.reports.domain import (
    ADDENDUM,
    RELEASED,
    REPORT,
    SECTION_TITLES,
    Section,
    clean_sections,
    fill,
)
from apps.reports.models import DraftKind, KeptText, Report
from apps.reports.selectors import prior_reports, report_of_item, template_for
from apps.reports.steps import claim_for, report_lock
from apps.studies.models import Study
from apps.worklists.models import ReadingItem
from apps.worklists.reading import policies as reading_policies
from apps.worklists.reading.selectors import studies_of
from apps.worklists.reading.steps import (
    ClaimedByOtherError,
    group_claim,
    group_lock,
    state_set,
)


@dataclass(frozen=True, slots=True)
class Autosave:
    """What became of a text that was sent to be saved.

    Attributes:
        saved: whether it is the report's text now.
        revision: of the report's text, as it stands.
        sections: the report's text, as it stands.
        saved_at: when that text was saved.
        kept: where the sent text was put instead; None where it was saved.
        message: what happened, for the writer.
    """

    saved: bool
    revision: int
    sections: list[Section]
    saved_at: datetime.datetime | None
    kept: KeptText | None = None
    message: str = ""


@transaction.atomic(durable=True)
def report_start(
    *, actor: Actor, reading_item_id: int, at: datetime.datetime, door: str = "page"
) -> Report:
    """Open the report of a reading item, claiming the item, and return it.

    The item's report is made at the first call, with the text of its template (by procedure, else
    by modality and body part) filled with the exam's own words. Later calls return the same one.

    Raises:
        NotFoundError: no such item, or hidden from the actor.
        ClaimedByOtherError: another reader has it open.
    """
    if not ReadingItem.objects.filter(pk=reading_item_id).exists():
        raise NotFoundError(reading_item=reading_item_id)
    group = group_lock(reading_item_id)
    item = group[0]
    if not reading_policies.allows(actor, Permission.REPORT_WRITE, item):
        raise NotFoundError(reading_item=reading_item_id)
    report = report_of_item(item)
    if report is not None and report.status in RELEASED:
        return report
    group_claim(actor=actor, group=group, at=at, door=door)
    return report or _create(actor, item, at, door)


@transaction.atomic(durable=True)
def report_autosave(
    *,
    actor: Actor,
    report_id: int,
    revision: int,
    sections: object,
    at: datetime.datetime,
    page: str = "",
    door: str = "page",
) -> Autosave:
    """Save what is being written, over the revision it was begun from.

    Where the report's text was saved by another page meanwhile, or another reader has the exam, the
    sent text is kept beside it and neither is lost. Sending again what is saved already changes
    nothing, so that a page may repeat a save whose answer it never got.

    Args:
        actor: who writes.
        report_id: the report.
        revision: which the writer's page had read.
        sections: [{key, title, text}].
        at: now.
        page: tells the writer's open pages apart, so that each keeps its own text.
        door: for the audit.

    Raises:
        NotFoundError: no such report, or hidden from the actor.
        InvalidInputError: the sections have not the known shape.
        TransitionNotAllowedError: the report is withdrawn, or nothing is being written.
    """
    report = report_lock(actor, report_id, Permission.REPORT_WRITE)
    texts = clean_sections(sections)
    if not report.draft_kind:
        message = "This report is signed. Begin an addendum or a correction to write on."
        raise TransitionNotAllowedError(message, state=report.status)
    try:
        claim_for(report, actor, at, door)
    except ClaimedByOtherError as error:
        return _keep(actor, report, revision, texts, at, page, door, error.message)
    if texts == report.draft_sections:
        return _standing(report)
    if revision != report.draft_revision:
        message = f"Another page saved this report at {report.draft_saved_at:%H:%M:%S} UTC."
        return _keep(actor, report, revision, texts, at, page, door, message)
    transition(report, REPORT, "autosave")
    report.draft_sections, report.draft_saved_at = texts, at
    report.draft_revision += 1
    report.author_id = actor.user_id or report.author_id
    report.save(update_fields=["draft_sections", "draft_saved_at", "draft_revision", "author"])
    return _standing(report)


@transaction.atomic(durable=True)
def kept_text_settle(
    *, actor: Actor, kept_text_id: int, take: bool, at: datetime.datetime, door: str = "page"
) -> Report:
    """Put a kept text in place of the report's, or drop it, and return the report.

    Taking it keeps the text that it replaces in its stead, so that this can be taken back.

    Raises:
        NotFoundError: the actor has no such open text.
        ClaimedByOtherError: another reader has the exam open.
    """
    found = KeptText.objects.filter(pk=kept_text_id, author=actor.user_id, settled_at=None).first()
    if found is None:
        raise NotFoundError(kept_text=kept_text_id)
    report = report_lock(actor, found.report_id, Permission.REPORT_WRITE)
    kept = KeptText.objects.select_for_update().get(pk=kept_text_id)
    if take:
        claim_for(report, actor, at, door)
        if not report.draft_kind:
            message = "This report is signed. Begin an addendum or a correction to write on."
            raise TransitionNotAllowedError(message, state=report.status)
        transition(report, REPORT, "autosave")
        replaced = report.draft_sections
        report.draft_sections, report.draft_saved_at = kept.sections, at
        report.draft_revision += 1
        report.save(update_fields=["draft_sections", "draft_saved_at", "draft_revision"])
        kept.sections = replaced
    kept.settled_at = at
    kept.save()
    _record(actor, audit_events.DRAFT_SETTLED, report, door, kept_text=kept.pk, taken=take)
    return report


@transaction.atomic(durable=True)
def report_revise(
    *, actor: Actor, report_id: int, kind: DraftKind, at: datetime.datetime, door: str = "page"
) -> Report:
    """Begin an addendum to a signed report, or a correction of it. Nothing is released by this.

    A correction begins with the text as it stands. A text of the same kind that is being written
    already is kept.

    Raises:
        NotFoundError: no such report, or hidden from the actor.
        TransitionNotAllowedError: it is not signed, or a text of the other kind is under way.
    """
    report = report_lock(actor, report_id, Permission.REPORT_SIGN)
    if report.status not in RELEASED:
        message = "Only a signed report takes an addendum or a correction."
        raise TransitionNotAllowedError(message, state=report.status)
    if report.draft_kind == kind:
        return report
    if report.draft_kind:
        message = f"A {report.get_draft_kind_display().lower()} is being written. End it first."
        raise TransitionNotAllowedError(message, state=report.status)
    last = report.versions.order_by("-number").first()
    if kind == DraftKind.CORRECTION and last is not None:
        report.draft_sections = last.sections
    else:
        report.draft_sections = [Section(key=ADDENDUM, title="Addendum", text="")]
    report.draft_kind, report.draft_saved_at = kind, at
    report.draft_revision += 1
    report.save(update_fields=["draft_sections", "draft_kind", "draft_saved_at", "draft_revision"])
    _record(actor, audit_events.REVISED, report, door, kind=str(kind))
    return report


@transaction.atomic(durable=True)
def report_discard(
    *, actor: Actor, report_id: int, at: datetime.datetime, door: str = "page"
) -> Report:
    """Drop an addendum or a correction that was not released; the signed report stands.

    The dropped text is kept with its writer's settled texts.

    Raises:
        NotFoundError: no such report, or hidden from the actor.
        TransitionNotAllowedError: no such text is under way.
    """
    report = report_lock(actor, report_id, Permission.REPORT_SIGN)
    if report.draft_kind not in {DraftKind.ADDENDUM, DraftKind.CORRECTION}:
        message = "No addendum or correction is being written."
        raise TransitionNotAllowedError(message, state=report.status)
    KeptText.objects.create(
        report=report,
        author_id=actor.user_id or report.author_id,
        base_revision=report.draft_revision,
        sections=report.draft_sections,
        kept_at=at,
        settled_at=at,
    )
    _record(actor, audit_events.DISCARDED, report, door, kind=report.draft_kind)
    report.draft_kind, report.draft_sections = "", []
    report.draft_revision += 1
    report.save(update_fields=["draft_kind", "draft_sections", "draft_revision"])
    return report


def _create(actor: Actor, item: ReadingItem, at: datetime.datetime, door: str) -> Report:
    report = Report.objects.create(
        patient=item.patient,
        site=item.site,
        confidentiality=item.confidentiality,
        author_id=actor.user_id or 0,
        draft_saved_at=at,
        created_at=at,
    )
    exam = item.requested_procedure
    studies = list(studies_of(item))
    report.studies.set(studies)
    if exam is not None:
        report.requested_procedures.set([exam])
    report.draft_sections = _first_text(actor, report, item, exam, studies)
    report.save(update_fields=["draft_sections"])
    state_set(
        exams=[exam.pk] if exam else [],
        studies=[study.pk for study in studies],
        state=ReadingItem.State.DRAFT,
        reader=actor.user_id,
    )
    _record(actor, audit_events.STARTED, report, door)
    return report


def _first_text(
    actor: Actor,
    report: Report,
    item: ReadingItem,
    exam: RequestedProcedure | None,
    studies: list[Study],
) -> list[Section]:
    """Return the template's text, filled; without a template the usual sections."""
    template = template_for(exam.procedure if exam else None, item.modality, item.body_part)
    usual = [Section(key=k, title=t, text="") for k, t in SECTION_TITLES.items()]
    sections = clean_sections(template.sections) if template else usual
    person = current(report.patient)
    order = exam.order if exam else None
    asked = [order.reason, order.clinical_info] if order else []
    values = {
        "reason": "\n".join(text.strip() for text in asked if text.strip()),
        "age": age(person.birth_date, report.created_at.date()),
        "sex": sex_words(person.sex),
        "exam": item.description,
        "comparison": _comparison(actor, report, studies),
    }
    standing = {"indication": values["reason"], "comparison": values["comparison"]}
    return clean_sections(
        [{**s, "text": fill(s["text"], values) or standing.get(s["key"], "")} for s in sections]
    )


def _comparison(actor: Actor, report: Report, studies: list[Study]) -> str:
    """Name the most alike earlier report, else say that there is none."""
    del studies
    priors = prior_reports(actor, report, limit=1)
    if not priors:
        return "None."
    exam = priors[0].requested_procedures.first()
    study = priors[0].studies.first()
    words = exam.description if exam else "Earlier exam"
    day = date_words(study.study_date) if study else date_words(priors[0].created_at)
    return f"{words}, {day}."


def _keep(  # noqa: PLR0917 - private, and all of it is needed
    actor: Actor,
    report: Report,
    revision: int,
    sections: list[Section],
    at: datetime.datetime,
    page: str,
    door: str,
    message: str,
) -> Autosave:
    kept, created = KeptText.objects.update_or_create(
        report=report,
        author_id=actor.user_id or report.author_id,
        page=page[:36],
        settled_at=None,
        defaults={"sections": sections, "kept_at": at, "base_revision": revision},
    )
    if created:
        _record(actor, audit_events.DRAFT_KEPT, report, door, kept_text=kept.pk)
    standing = _standing(report)
    return Autosave(
        saved=False,
        revision=standing.revision,
        sections=standing.sections,
        saved_at=standing.saved_at,
        kept=kept,
        message=f"{message} Your text is kept beside it; nothing is lost.",
    )


def _standing(report: Report) -> Autosave:
    return Autosave(
        saved=True,
        revision=report.draft_revision,
        sections=report.draft_sections,
        saved_at=report.draft_saved_at,
    )


def _record(actor: Actor, event: str, report: Report, door: str, **details: Any) -> None:
    record(
        actor=actor,
        event=event,
        door=door,
        patient=report.patient_id,
        key=f"report:{report.pk}",
        **details,
    )
