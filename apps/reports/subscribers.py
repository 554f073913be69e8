"""What reports learn from the study index."""

from apps.core.events import Event, subscribe
from apps.core.steps import lock
from apps.orders.models import RequestedProcedure
from apps.reports.models import Report


@subscribe("studies.study.matched")
def follow_match(event: Event) -> None:
    """Give a report begun without an order the exam that its study was matched to since."""
    study = event.payload["study_id"]
    exams = RequestedProcedure.objects.filter(matches__study=study)
    for report in Report.objects.filter(studies=study, requested_procedures=None).order_by("pk"):
        if lock(report).status != "cancelled":
            report.requested_procedures.add(*exams)
