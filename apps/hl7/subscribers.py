"""What HL7 does when a report is released: put its ORU into the ledger of each peer."""

import structlog
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.core import clock
from apps.core.events import Event, subscribe
from apps.exchange.selectors import peers_for
from apps.exchange.steps import delivery_enqueue
from apps.hl7.results import render_version
from apps.hl7.tasks import deliveries_send
from apps.patients.selectors import current
from apps.reports.models import ReportVersion

log = structlog.get_logger(__name__)

ORU = "oru"


@subscribe(
    "reports.report.preliminary",
    "reports.report.finalised",
    "reports.report.addended",
    "reports.report.corrected",
    "reports.report.cancelled",
)
def send_result(event: Event) -> None:
    """Render the released version for every peer of its site that wants results."""
    version = ReportVersion.objects.select_related(
        "report__site", "report__patient__survivor", "signed_by"
    ).get(pk=event.payload["version_id"])
    report = version.report
    at = clock.now()
    for peer in peers_for(site_id=report.site_id, event=ORU):
        control_id = f"R{version.pk}.{peer.pk}"
        delivery_enqueue(
            peer=peer,
            kind=ORU,
            reference=f"report-version:{version.pk}",
            ordering_key=f"patient:{current(report.patient).pk}",
            control_id=control_id,
            payload=render_version(version, peer, control_id=control_id, at=at),
            at=at,
        )
    transaction.on_commit(wake_sender)


def wake_sender() -> None:
    """Ask a worker to send; where the broker is down, the beat finds the work later."""
    try:
        deliveries_send.delay()
    except OperationalError as error:
        log.warning("hl7.sender-not-woken", reason=str(error))
