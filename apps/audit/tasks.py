"""Tasks of the audit trail."""

from apps.audit.services import audit_seal
from apps.core.tasks import pacs_task


@pacs_task()
def seal_audit() -> None:
    """Seal what was written since the last run."""
    while audit_seal():
        pass
