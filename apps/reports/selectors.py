"""Reading reports. What the actor may not see does not exist."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from apps.accounts.domain import Permission
from apps.accounts.models import User
from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.orders.models import Procedure
from apps.patients.selectors import alias_keys
from apps.reports import audit_events, policies
from apps.reports.domain import version_digest
from apps.reports.models import KeptText, Report, ReportMacro, ReportTemplate, ReportVersion
from apps.worklists.models import ReadingItem


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether a report's versions are what was signed; `broken` is the first that is not."""

    versions: int
    broken: int | None = None


def signer_name(user: User) -> str:
    """Return a person's name as it stands under a report: `Dr Ines Falk`."""
    return " ".join(part for part in (user.title, user.get_full_name()) if part) or user.username


def reports_visible_to(actor: Actor) -> QuerySet[Report]:
    """Return the reports the actor may read: drafts to their writers, preliminary ones to staff.

    A referrer has final, appended and corrected reports of granted exams only.
    """
    return Report.objects.filter(policies.visible(actor))


def report_access(
    actor: Actor, key: int, permission: Permission = Permission.REPORT_READ, *, door: str = "page"
) -> Report:
    """Return a report that the actor may read, and on which it holds the permission.

    A refusal of a report that exists is audited.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    report = _with_context(reports_visible_to(actor)).filter(pk=key).first()
    if report is not None and policies.allows(actor, permission, report):
        return report
    hidden = Report.objects.filter(pk=key).first()
    if hidden is not None:
        record_read(
            actor=actor,
            event=audit_events.REFUSED,
            door=door,
            outcome=Outcome.MINOR_FAILURE,
            patient=hidden.patient_id,
            key=f"report:{key}",
        )
    raise NotFoundError(report=key)


def versions_visible_to(actor: Actor, report: Report) -> list[ReportVersion]:
    """Return a report's versions that the actor may read, newest first."""
    states = policies.version_states(actor, report)
    return list(report.versions.filter(status__in=states).order_by("-number"))


def version_access(actor: Actor, key: int, number: int, *, door: str = "page") -> ReportVersion:
    """Return one version of a report.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    report = report_access(actor, key, door=door)
    states = policies.version_states(actor, report)
    version = report.versions.filter(number=number, status__in=states).first()
    if version is None:
        raise NotFoundError(report=key, version=number)
    version.report = report
    return version


def report_of_item(item: ReadingItem) -> Report | None:
    """Return the report of a reading item that is not withdrawn, the newest where there are more.

    For commands; what pages show comes from `reports_visible_to`.
    """
    about = (
        Q(requested_procedures=item.requested_procedure_id)
        if item.requested_procedure_id
        else Q(studies=item.study_id, requested_procedures=None)
    )
    return Report.objects.filter(about).exclude(status="cancelled").order_by("-pk").first()


def reports_of_exams(actor: Actor, exams: Collection[int]) -> dict[int, Report]:
    """Return, by exam, the newest report of each that the actor may read, versions included."""
    found: dict[int, Report] = {}
    rows = (
        reports_visible_to(actor)
        .filter(requested_procedures__in=exams)
        .prefetch_related("requested_procedures", _versions())
        .order_by("pk")
        .distinct()
    )
    for report in rows:
        for exam in report.requested_procedures.all():
            found[exam.pk] = report
    return found


def reports_of_studies(actor: Actor, studies: Collection[int]) -> dict[int, Report]:
    """Return, by study, the newest report of each that the actor may read, versions included."""
    found: dict[int, Report] = {}
    rows = (
        reports_visible_to(actor)
        .filter(studies__in=studies)
        .prefetch_related("studies", _versions())
        .order_by("pk")
        .distinct()
    )
    for report in rows:
        for study in report.studies.all():
            found[study.pk] = report
    return found


def exam_report_states(exams: Collection[int]) -> dict[int, str]:
    """Return, by exam, the state of its newest report, and nothing of what it says.

    For those who may see the exam: that a report is under way is part of the exam's progress.
    """
    links = Report.requested_procedures.through.objects.filter(requestedprocedure__in=exams)
    rows = links.order_by("report").values_list("requestedprocedure", "report__status")
    return dict(rows)  # the newest comes last, and stays


def prior_reports(actor: Actor, report: Report, limit: int = 12) -> list[Report]:
    """Return earlier reports of the same person, those of the same modality and part first."""
    rows = (
        _with_context(reports_visible_to(actor))
        .filter(patient__in=alias_keys(report.patient))
        .exclude(pk=report.pk)
        .exclude(status__in=("registered", "cancelled"))
        .order_by("-pk")[: limit * 2]
    )
    here = _likeness(report)
    return sorted(rows, key=lambda row: len(here & _likeness(row)), reverse=True)[:limit]


def template_for(
    procedure: Procedure | None, modality: str, body_part: str
) -> ReportTemplate | None:
    """Return the template of the procedure, else of modality and body part, else of modality."""
    rows = ReportTemplate.objects.order_by("pk")
    wanted = [Q(procedure=procedure)] if procedure is not None else []
    general = Q(procedure=None, modality=modality)
    if modality:
        wanted += [general & Q(body_part=body_part)] if body_part else []
        wanted.append(general & Q(body_part=""))
    for condition in wanted:
        template = rows.filter(condition).first()
        if template is not None:
            return template
    return None


def macros_for(actor: Actor) -> list[ReportMacro]:
    """Return the actor's own texts and everybody's; one's own hides another of its shortcut."""
    rows = ReportMacro.objects.filter(Q(owner=None) | Q(owner=actor.user_id))
    by_shortcut = {row.shortcut: row for row in sorted(rows, key=lambda r: (r.owner_id or 0, r.pk))}
    return sorted(by_shortcut.values(), key=lambda row: row.shortcut)


def kept_texts_for(actor: Actor, report: Report) -> list[KeptText]:
    """Return the drafts put aside that the actor has not settled, newest first."""
    rows = report.kept_texts.filter(author=actor.user_id, settled_at=None)
    return list(rows.order_by("-kept_at", "-pk"))


def version_content(version: ReportVersion) -> dict[str, object]:
    """Return what a version's digest covers: all that was released, and what came before."""
    return {
        "report": version.report_id,
        "number": version.number,
        "status": version.status,
        "sections": version.sections,
        "signed_by": version.signed_by_id,
        "signed_by_display": version.signed_by_display,
        "signed_at": version.signed_at.isoformat(),
        "reason": version.reason,
        "previous_digest": version.previous_digest,
    }


def chain_verify(report: Report) -> ChainVerdict:
    """Recompute a report's chain of digests and tell where it breaks first, if anywhere."""
    previous, count = "", 0
    for version in report.versions.order_by("number"):
        count += 1
        linked = version.previous_digest == previous and version.number == count
        if not linked or version_digest(version_content(version)) != version.digest:
            return ChainVerdict(count, version.number)
        previous = version.digest
    return ChainVerdict(count)


def _versions() -> Prefetch:
    return Prefetch("versions", ReportVersion.objects.order_by("-number"))


def _with_context(rows: QuerySet[Report]) -> QuerySet[Report]:
    return rows.select_related("patient__survivor", "site", "author").prefetch_related(
        "requested_procedures__order__referrer",
        "requested_procedures__procedure",
        "studies",
        _versions(),
    )


def _likeness(report: Report) -> set[str]:
    exams = report.requested_procedures.all()
    return {e.modality for e in exams} | {f"part:{e.body_part}" for e in exams if e.body_part}
