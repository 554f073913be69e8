"""The pages of one report: writing, signing, versions."""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.pages import page, status_of
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError
from apps.patients.selectors import current, primary_identifier
from apps.reports import audit_events, policies, services
from apps.reports.compare import compare_sections
from apps.reports.domain import ADDENDUM, RELEASED, Section, blocks
from apps.reports.models import DraftKind, Report, ReportVersion
from apps.reports.pdf import pdf_name, report_pdf
from apps.reports.reauthentication import reauthenticate
from apps.reports.selectors import (
    kept_texts_for,
    macros_for,
    prior_reports,
    report_access,
    version_access,
    versions_visible_to,
)
from apps.reports.steps import expect_revision, reading_items
from apps.studies.models import Series, Study
from apps.worklists.models import ReadingItem
from apps.worklists.reading.selectors import claim_holds

MOST_BODY = 4_000_000


@require_GET
@never_cache
@page(Permission.REPORT_READ)
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """The report: its editor for who may write it, else its newest version to read."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = report_access(actor, pk)
    _record_read(actor, found)
    may_write = policies.allows(actor, Permission.REPORT_WRITE, found)
    versions = versions_visible_to(actor, found)
    writes = may_write and bool(found.draft_kind) and found.status != "cancelled"
    item = next((i for i in reading_items(found) if i.state != ReadingItem.State.DONE), None)
    held = item if item and claim_holds(item, clock.now()) else None
    other = held.claimed_by if held and held.claimed_by_id != actor.user_id else None
    context = _frame(actor, found) | {
        "versions": versions,
        "version": versions[0] if versions else None,
        "sections": _set(versions[0].sections) if versions else [],
        "writes": writes and other is None,
        "other_reader": other,
        "may_sign": policies.allows(actor, Permission.REPORT_SIGN, found),
        "released": found.status in RELEASED,
        "item": item,
        "priors": [_prior(actor, prior) for prior in prior_reports(actor, found)],
        "macros": macros_for(actor) if may_write else [],
        "kept_texts": kept_texts_for(actor, found) if may_write else [],
    }
    return render(request, "reports/report.html", context)


@require_POST
@page(Permission.REPORT_WRITE)
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Save the text: as JSON for the page's own saving, as a form where no script runs.

    200 with the new revision; 409 where the text was kept beside another.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]
    sent = _sent(request)
    try:
        answer = services.report_autosave(
            actor=actor,
            report_id=pk,
            revision=sent["revision"],
            sections=sent["sections"],
            page=sent["page"],
            at=clock.now(),
        )
    except DomainError as error:
        if not _wants_json(request):
            raise
        return JsonResponse({"code": error.code, "message": error.message}, status=status_of(error))
    if not _wants_json(request):
        return redirect("reports:report", pk=pk)
    body = {
        "saved": answer.saved,
        "revision": answer.revision,
        "saved_at": answer.saved_at.isoformat() if answer.saved_at else None,
        "message": answer.message,
        "kept": answer.kept.pk if answer.kept else None,
    }
    return JsonResponse(body, status=200 if answer.saved else 409)


@require_POST
@page(Permission.REPORT_WRITE)
def preliminary(request: HttpRequest, pk: int) -> HttpResponse:
    """Release the saved text as preliminary."""
    return _command(
        request,
        pk,
        lambda actor, revision: services.report_preliminary(
            actor=actor, report_id=pk, revision=revision, at=clock.now()
        ),
    )


@require_POST
@page(Permission.REPORT_SIGN)
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign what is being written, with the password: the report, an addendum or a correction."""

    def command(actor: Actor, revision: int) -> ReportVersion:
        found = report_access(actor, pk, Permission.REPORT_SIGN)
        at = reauthenticate(request, pk)
        match found.draft_kind:
            case DraftKind.ADDENDUM:
                expect_revision(found, revision)
                texts = [s["text"] for s in found.draft_sections if s["key"] == ADDENDUM]
                return services.report_addend(
                    actor=actor,
                    report_id=pk,
                    text="\n\n".join(texts),
                    reauthenticated_at=at,
                    at=at,
                )
            case DraftKind.CORRECTION:
                expect_revision(found, revision)
                return services.report_correct(
                    actor=actor,
                    report_id=pk,
                    sections=found.draft_sections,
                    reason=request.POST.get("reason", ""),
                    reauthenticated_at=at,
                    at=at,
                )
        return services.report_sign(
            actor=actor, report_id=pk, revision=revision, reauthenticated_at=at, at=at
        )

    return _command(request, pk, command)


@require_POST
@page(Permission.REPORT_SIGN)
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw the report, with a reason and the password."""
    return _command(
        request,
        pk,
        lambda actor, _: services.report_cancel(
            actor=actor,
            report_id=pk,
            reason=request.POST.get("reason", ""),
            reauthenticated_at=reauthenticate(request, pk),
            at=clock.now(),
        ),
    )


@require_POST
@page(Permission.REPORT_SIGN)
def revise(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin an addendum or a correction."""
    kind = request.POST.get("kind", "")
    if kind not in {DraftKind.ADDENDUM, DraftKind.CORRECTION}:
        message = "Choose an addendum or a correction."
        raise InvalidInputError(message, field="kind")
    actor: Actor = request.actor  # type: ignore[attr-defined]
    services.report_revise(actor=actor, report_id=pk, kind=DraftKind(kind), at=clock.now())
    return redirect("reports:report", pk=pk)


@require_POST
@page(Permission.REPORT_SIGN)
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop an addendum or a correction that was not signed."""
    services.report_discard(actor=request.actor, report_id=pk, at=clock.now())  # type: ignore[attr-defined]
    return redirect("reports:report", pk=pk)


@require_POST
@page(Permission.REPORT_WRITE)
def settle(request: HttpRequest, pk: int, kept: int) -> HttpResponse:
    """Put a kept text in place of the report's, or drop it."""
    take = request.POST.get("take") == "1"
    actor: Actor = request.actor  # type: ignore[attr-defined]
    services.kept_text_settle(actor=actor, kept_text_id=kept, take=take, at=clock.now())
    return redirect("reports:report", pk=pk)


@require_GET
@never_cache
@page(Permission.REPORT_READ)
def version(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One version to read, or compared with an earlier one (`?with=1`)."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    shown = version_access(actor, pk, number)
    _record_read(actor, shown.report, version=number)
    versions = versions_visible_to(actor, shown.report)
    asked = request.GET.get("with", "")
    other = next((v for v in versions if str(v.number) == asked and v.number != number), None)
    context = _frame(actor, shown.report) | {
        "version": shown,
        "versions": versions,
        "sections": _set(shown.sections),
        "other": other,
        "changes": compare_sections(other.sections, shown.sections) if other else [],
        "latest": versions[0].number == number,
    }
    return render(request, "reports/version.html", context)


@require_GET
@never_cache
@page(Permission.REPORT_READ)
def version_pdf(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One version as a PDF."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    shown = version_access(actor, pk, number)
    record_read(
        actor=actor,
        event=audit_events.EXPORTED,
        door="page",
        patient=shown.report.patient_id,
        key=f"report:{pk}",
        version=number,
    )
    response = HttpResponse(report_pdf(shown), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{pdf_name(shown)}"'
    return response


def _command(request: HttpRequest, pk: int, command: Any) -> HttpResponse:
    """Run a releasing command; its refusal is said where the writer is, and nothing is lost."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if not _wants_json(request):  # without a script the texts come with the command
        draft(request, pk)
    try:
        revision = report_access(actor, pk).draft_revision
        if _wants_json(request):
            revision = _number(request.POST.get("revision", ""))
        command(actor, revision)
    except DomainError as error:
        if not _wants_json(request):
            raise
        return JsonResponse({"code": error.code, "message": error.message}, status=status_of(error))
    url = reverse("reports:report", args=[pk])
    return JsonResponse({"url": url}) if _wants_json(request) else redirect(url)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "") == "application/json"


def _sent(request: HttpRequest) -> dict[str, Any]:
    if request.content_type == "application/json":
        try:
            body = json.loads(request.body[:MOST_BODY])
            return {
                "revision": int(body["revision"]),
                "sections": body["sections"],
                "page": str(body.get("page", "")),
            }
        except (ValueError, KeyError, TypeError) as error:
            message = "The text came in a form that is not known."
            raise InvalidInputError(message) from error
    rows = zip(
        request.POST.getlist("key"),
        request.POST.getlist("title"),
        request.POST.getlist("text"),
        strict=False,
    )
    return {
        "revision": _number(request.POST.get("revision", "")),
        "sections": [{"key": k, "title": t, "text": x} for k, t, x in rows],
        "page": "form",
    }


def _number(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        message = "The revision is missing."
        raise InvalidInputError(message, field="revision")
    return int(text)


def _frame(actor: Actor, found: Report) -> dict[str, Any]:
    """Who and what: the identity line, the exam, its images."""
    patient = current(found.patient)
    exams = list(found.requested_procedures.all())
    studies = list(found.studies.all())
    exam = exams[0] if exams else None
    ready = [s.study_instance_uid for s in studies if s.availability in {"ONLINE", "NEARLINE"}]
    first = studies[0] if studies else None
    title = ", ".join(e.description for e in exams) or (first.study_description if first else "")
    return {
        "report": found,
        "patient": patient,
        "identifier": primary_identifier(patient),
        "exams": exams,
        "exam_title": title or "Exam",
        "order": exam.order if exam else None,
        "study": first,
        "picture": _picture(first),
        "viewer": ",".join(ready),
        "back_url": reverse("reading:list")
        if Permission.READING_READ.value in actor.permissions
        else reverse("workspace:home"),
        "draft_kind_words": {
            DraftKind.ADDENDUM: "Addendum",
            DraftKind.CORRECTION: "Correction",
        }.get(DraftKind(found.draft_kind) if found.draft_kind else DraftKind.REPORT, "Draft"),
    }


def _picture(study: Study | None) -> dict[str, str] | None:
    """The series that stands for a study: the one with the most images."""
    if study is None or study.availability not in {"ONLINE", "NEARLINE"}:
        return None
    series = Series.objects.filter(study=study).order_by("-number_of_instances", "pk").first()
    if series is None:
        return None
    path = f"/dicom-web/studies/{study.study_instance_uid}/series/{series.series_instance_uid}"
    return {
        "url": f"{path}/thumbnail?viewport=640,640",
        "words": f"Se {series.series_number}, {series.series_description or series.modality}",
        "images": str(series.number_of_instances),
    }


def _prior(actor: Actor, prior: Report) -> dict[str, Any]:
    states = policies.version_states(actor, prior)
    shown = next((v for v in prior.versions.all() if v.status in states), None)
    study = next(iter(prior.studies.all()), None)
    exam = next(iter(prior.requested_procedures.all()), None)
    return {
        "report": prior,
        "version": shown,
        "title": exam.description if exam else study.study_description if study else "Exam",
        "study": study,
        "picture": _picture(study),
        "sections": _set(shown.sections) if shown else [],
    }


def _set(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Sections with their texts as blocks, for the template; empty ones are left out."""
    return [
        {"key": s["key"], "title": s["title"], "blocks": blocks(s["text"])}
        for s in sections
        if s["text"].strip()
    ]


def _record_read(actor: Actor, found: Report, **details: Any) -> None:
    study = next(iter(found.studies.all()), None)
    record_read(
        actor=actor,
        event=audit_events.READ,
        door="page",
        patient=found.patient_id,
        study=study.study_instance_uid if study else "",
        key=f"report:{found.pk}",
        **details,
    )
