"""Audited events of reports."""

from apps.audit.models import Action
from apps.audit.registry import register

READ = register("reports.report.read", Action.READ, "Read a report")
REFUSED = register("reports.report.refused", Action.READ, "Was refused a report")
EXPORTED = register("reports.report.exported", Action.READ, "Took a report out as a document")
STARTED = register("reports.report.started", Action.CREATE, "Started a report")
DRAFT_KEPT = register(
    "reports.report.draft-kept", Action.CREATE, "Wrote a draft beside another one"
)
DRAFT_SETTLED = register("reports.report.draft-settled", Action.UPDATE, "Settled a draft put aside")
REVISED = register("reports.report.revised", Action.UPDATE, "Began to change a signed report")
DISCARDED = register("reports.report.discarded", Action.UPDATE, "Dropped an unreleased text")
PRELIMINARY = register("reports.report.preliminary", Action.UPDATE, "Released a preliminary report")
FINALISED = register("reports.report.finalised", Action.UPDATE, "Signed a report")
ADDENDED = register("reports.report.addended", Action.UPDATE, "Added to a signed report")
CORRECTED = register("reports.report.corrected", Action.UPDATE, "Corrected a signed report")
CANCELLED = register("reports.report.cancelled", Action.UPDATE, "Withdrew a report")
SIGNATURE_REFUSED = register(
    "reports.report.signature-refused", Action.EXECUTE, "Gave a wrong password to sign"
)
