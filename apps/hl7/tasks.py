"""Sending what the ledger holds."""

import structlog

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task
from apps.exchange import services
from apps.exchange.models import Delivery
from apps.hl7.domain.acknowledgement import AckCode
from apps.hl7.domain.charsets import CharsetError, canonical, encode
from apps.hl7.domain.message import MessageError, parse
from apps.hl7.mllp.client import MllpError, exchange

log = structlog.get_logger(__name__)

ACCEPTED = {AckCode.ACCEPT.value, "CA"}
REFUSED = {AckCode.ERROR.value, AckCode.REJECT.value, "CE", "CR"}


@pacs_task(queue="hl7-out", time_limit=900)
def deliveries_send() -> None:
    """Send every message that is due, each after the ones of its patient before it."""
    while (delivery := services.delivery_claim(at=clock.now())) is not None:
        send(delivery)


def send(delivery: Delivery) -> None:
    """Send one leased message and note what came of it.

    Source: HL7 v2.5.1 2.9.2: AA ends it; AE and AR are for a person; no answer, or one to another
    message, is tried again.
    """
    actor = system_actor("hl7-out")
    peer = delivery.peer
    try:
        data, _ = encode(delivery.payload, canonical(_charset(delivery)))
        raw = exchange(peer.send_host, peer.send_port or 0, data)
        code, words = read_acknowledgement(raw, delivery.control_id)
    except MllpError as error:
        services.delivery_postpone(delivery_id=delivery.pk, error=str(error), at=clock.now())
        log.warning("hl7.not-delivered", delivery=delivery.pk, peer=peer.name, reason=str(error))
        return
    answer = raw.decode("utf-8", "replace").replace("\0", "")
    if code in ACCEPTED:
        services.delivery_succeed(
            actor=actor, delivery_id=delivery.pk, acknowledgement=answer, at=clock.now()
        )
        return
    services.delivery_bury(
        actor=actor,
        delivery_id=delivery.pk,
        reason=f"{code}: {words}" if words else code,
        acknowledgement=answer,
        at=clock.now(),
    )


def read_acknowledgement(raw: bytes, control_id: str) -> tuple[str, str]:
    """Return MSA-1 and the words of an acknowledgement.

    Raises:
        MllpError: it is none, or answers another message.
    """
    try:
        message = parse(raw)
    except (MessageError, CharsetError) as error:
        raise MllpError(f"the answer cannot be read: {error}") from error
    msa = message.first("MSA")
    code = msa.value(1) if msa else ""
    if msa is None or code not in ACCEPTED | REFUSED:
        raise MllpError("the answer has no MSA-1 of table 0008")
    if msa.value(2) != control_id:
        raise MllpError(f"the answer is to {msa.value(2)!r}, not to {control_id!r}")
    words = [msa.value(3)]
    for err in message.all("ERR"):
        words += [err.value(8) or err.value(7) or err.value(3, 2) or err.value(1, 4)]
    return code, "; ".join(dict.fromkeys(part for part in words if part))


def _charset(delivery: Delivery) -> str:
    """Return what MSH-18 of the message says; UTF-8 where it cannot be read any more."""
    try:
        return parse(delivery.payload.encode()).msh.value(18)
    except (MessageError, CharsetError):
        return ""
