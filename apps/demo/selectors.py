"""What is known of the demo hospital."""

from apps.audit.models import AuditEvent
from apps.demo import audit_events


def is_seeded() -> bool:
    """Tell whether this database holds the demo hospital: the audit trail says so."""
    return AuditEvent.objects.filter(event=audit_events.SEEDED).exists()
