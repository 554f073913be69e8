"""What DICOM does on our own account when something happened below it."""

from django.db import transaction

from apps.core.events import Event, subscribe
from apps.dimse.tasks import wake_answerer


@subscribe("exchange.commitment.requested")
def answer_commitment(event: Event) -> None:
    """Have a worker check and answer it; the listener itself never waits for a broker."""
    del event  # the rows say what is due
    transaction.on_commit(wake_answerer)
