"""Audited events of exchange."""

from apps.audit.models import Action
from apps.audit.registry import register

SENT = register("exchange.delivery.sent", Action.EXECUTE, "Sent a result to another system")
REFUSED = register(
    "exchange.delivery.refused", Action.EXECUTE, "A result was refused by its receiver"
)
RESENT = register("exchange.delivery.resent", Action.UPDATE, "Sent a refused result again")
ABANDONED = register("exchange.delivery.abandoned", Action.UPDATE, "Gave up a refused result")
TAKEN_UP = register("exchange.delivery.taken-up", Action.UPDATE, "Took up a given-up result again")
COMMITMENT_REQUESTED = register(
    "exchange.commitment.requested", Action.EXECUTE, "Asked whether images are safely stored"
)
COMMITMENT_REPORTED = register(
    "exchange.commitment.reported", Action.EXECUTE, "Said which images are safely stored"
)
COMMITMENT_RETRIED = register(
    "exchange.commitment.retried", Action.UPDATE, "Sent storage confirmations again"
)
COMMITMENTS_LISTED = register(
    "exchange.commitment.listed", Action.READ, "Looked into the ledger of storage commitment"
)
