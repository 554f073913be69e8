"""Who sees a report, and in which state.

| state | who |
| --- | --- |
| registered (draft) | who may write reports at the site |
| preliminary | who holds `report.read-preliminary` at the site |
| final, appended, corrected | who holds `report.read` at the site or by a grant |
| cancelled (withdrawn) | as preliminary: its text is nobody's word any more |
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.reports.domain import RELEASED
from apps.reports.models import Report

UNRELEASED = ("preliminary", "cancelled")


def _with_exams(exams: QuerySet) -> Q:
    # Looked up for each report of a page; for many PostgreSQL makes the list of all by itself.
    links = Report.requested_procedures.through.objects
    return Q(Exists(links.filter(report=OuterRef("pk"), requestedprocedure__in=exams)))


FIELDS = policy.Fields(exams=_with_exams)


def visible(actor: Actor) -> Q:
    """Return the filter for the reports the actor may read, each in the state it is in."""
    return (
        (policy.visible(actor, Permission.REPORT_READ, FIELDS) & Q(status__in=RELEASED))
        | (
            policy.visible(actor, Permission.REPORT_READ_PRELIMINARY, FIELDS)
            & Q(status__in=UNRELEASED)
        )
        | (policy.visible(actor, Permission.REPORT_WRITE, FIELDS) & Q(status="registered"))
    )


def allows(actor: Actor, permission: Permission, report: Report) -> bool:
    """Tell whether the actor holds the permission on this report, whatever its state."""
    exams = report.requested_procedures.values_list("pk", flat=True)
    facts = policy.Facts(report.site_id, report.confidentiality, report.patient_id, list(exams))
    return policy.allows(actor, permission, facts)


def version_states(actor: Actor, report: Report) -> tuple[str, ...]:
    """Return the states of a report's versions that the actor may read."""
    if allows(actor, Permission.REPORT_READ_PRELIMINARY, report):
        return (*RELEASED, *UNRELEASED)
    return RELEASED if allows(actor, Permission.REPORT_READ, report) else ()
