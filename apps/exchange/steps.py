"""Steps on the ledger for the commands and subscribers of this and higher apps."""

import datetime

from apps.accounts.models import Hl7Peer
from apps.core.steps import require_transaction
from apps.exchange.models import Delivery


def delivery_enqueue(
    *,
    peer: Hl7Peer,
    kind: str,
    reference: str,
    ordering_key: str,
    control_id: str,
    payload: str,
    at: datetime.datetime,
) -> Delivery:
    """Put a message into the ledger, to be sent after this transaction commits.

    Idempotent on kind, reference and peer: the same again is the row that is there.

    Args:
        peer: who gets it.
        kind: oru or status.
        reference: plain key of what it tells, such as `report-version:12`.
        ordering_key: messages of one key go to a peer in the order in which they were put here.
        control_id: MSH-10, the same at every attempt.
        payload: the message, as text.
        at: now.
    """
    require_transaction()
    row, _ = Delivery.objects.get_or_create(
        kind=kind,
        reference=reference,
        peer=peer,
        defaults={
            "ordering_key": ordering_key,
            "control_id": control_id,
            "payload": payload,
            "due_at": at,
            "created_at": at,
        },
    )
    return row
