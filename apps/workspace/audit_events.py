"""Audited events of the workspace's own pages."""

from apps.audit.models import Action
from apps.audit.registry import register

AUDIT_SEARCHED = register("workspace.audit.searched", Action.EXECUTE, "Searched the audit trail")
PALETTE_SEARCHED = register("workspace.palette.searched", Action.EXECUTE, "Looked for something")
RESULTS_LISTED = register("workspace.portal.listed", Action.READ, "Looked at own results")
RESULT_READ = register("workspace.portal.read", Action.READ, "Looked at a result")
RESULT_REFUSED = register("workspace.portal.refused", Action.READ, "Was refused a result")
ITEM_VIEWED = register("workspace.attention.viewed", Action.READ, "Saw a break of the chain")
ITEM_CLOSED = register("workspace.attention.closed", Action.UPDATE, "Closed a break of the chain")
ITEM_REOPENED = register(
    "workspace.attention.reopened", Action.UPDATE, "Opened a break of the chain again"
)
