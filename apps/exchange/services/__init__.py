"""Commands on the ledgers of what left the house."""

from apps.exchange.services.commitments import (
    UNDELIVERED,
    commitment_checked,
    commitment_claim,
    commitment_postpone,
    commitment_reported,
    commitment_request,
    commitments_retry,
)
from apps.exchange.services.deliveries import (
    DEAD,
    UNREACHABLE,
    delivery_abandon,
    delivery_bury,
    delivery_claim,
    delivery_postpone,
    delivery_resend,
    delivery_succeed,
    delivery_take_up,
    peer_retry,
)

__all__ = [
    "DEAD",
    "UNDELIVERED",
    "UNREACHABLE",
    "commitment_checked",
    "commitment_claim",
    "commitment_postpone",
    "commitment_reported",
    "commitment_request",
    "commitments_retry",
    "delivery_abandon",
    "delivery_bury",
    "delivery_claim",
    "delivery_postpone",
    "delivery_resend",
    "delivery_succeed",
    "delivery_take_up",
    "peer_retry",
]
