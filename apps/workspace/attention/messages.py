"""Messages that were not understood here, and results that were not taken there."""

import datetime
from typing import Any

from apps.core.actors import Actor
from apps.core.chain import ChainLink
from apps.core.words import when
from apps.exchange.models import Delivery, ExchangeAttention
from apps.exchange.services import (
    DEAD,
    UNREACHABLE,
    delivery_abandon,
    delivery_resend,
    delivery_take_up,
    peer_retry,
)
from apps.hl7.models import Hl7Attention
from apps.hl7.services import REFUSED, message_readable, message_replay
from apps.hl7.subscribers import wake_sender
from apps.patients.selectors import patients_visible_to
from apps.workspace.attention.kinds import Case, Deed, Done, Kind, Line, Said

KINDS_OF_MESSAGE = {"ADT": "Patient data", "ORM": "An order"}


def _patient_of(actor: Actor, delivery: Delivery | None) -> Any:
    key = delivery.ordering_key.removeprefix("patient:") if delivery else ""
    return patients_visible_to(actor).filter(pk=int(key)).first() if key.isdecimal() else None


def _delivery_lines(actor: Actor, rows: list[ExchangeAttention]) -> dict[int, Line]:
    deliveries = Delivery.objects.select_related("peer").in_bulk([row.delivery_id for row in rows])
    found = {}
    for row in rows:
        delivery = deliveries.get(row.delivery_id or 0)
        if delivery is None:
            found[row.pk] = Line(row.summary)
        elif row.kind == UNREACHABLE:
            waiting = row.details.get("waiting", 0)
            found[row.pk] = Line(delivery.peer.name, row.summary, f"{waiting} waiting")
        else:
            where = f"{delivery.peer.name} · {delivery.control_id}"
            found[row.pk] = Line("A result was refused", delivery.last_error, where)
    return found


def _dead(actor: Actor, row: ExchangeAttention) -> Case:
    delivery = row.delivery
    if delivery is None:
        return Case(row.summary, "The message is not there any more.")
    return Case(
        title=f"{delivery.peer.name} refused a result",
        why=(
            f"The report is signed and readable here, but {delivery.peer.name} answered "
            f"“{delivery.last_error}”. It has not got the result, and nothing more is sent by "
            "itself. Mend the reason there, or in the message, and send it again: it keeps its "
            "number, so it cannot arrive twice."
        ),
        template="workspace/attention/delivery.html",
        chain=[
            ChainLink("Order", "done"),
            ChainLink("Images", "done"),
            ChainLink("Read", "done"),
            ChainLink("Result", "broken", "refused"),
        ],
        context={
            "delivery": delivery,
            "payload": delivery.payload.replace("\r", "\n"),
            "answer": delivery.acknowledgement.replace("\r", "\n"),
            "patient": _patient_of(actor, delivery),
        },
        deeds=[
            Deed("send", "Send again", key="Enter", main=True),
            Deed("give-up", "Give it up"),
        ],
        patient_id=getattr(_patient_of(actor, delivery), "pk", None),
    )


def _send(actor: Actor, row: ExchangeAttention, said: Said, at: datetime.datetime) -> Done:
    text = said.get("payload", "")
    payload = "\r".join(text.replace("\r\n", "\n").strip("\n").split("\n")) + "\r" if text else None
    delivery = delivery_resend(
        actor=actor, delivery_id=row.delivery_id or 0, payload=payload, at=at
    )
    wake_sender()
    return Done(f"Sent again to {delivery.peer.name}")


def _give_up(actor: Actor, row: ExchangeAttention, said: Said, at: datetime.datetime) -> Done:
    reason = said.get("reason") or "Given up"
    delivery_abandon(actor=actor, delivery_id=row.delivery_id or 0, reason=reason, at=at)
    return Done("Given up", "give-up")


def _take_up(actor: Actor, row: ExchangeAttention, said: Said, at: datetime.datetime) -> str:
    delivery_take_up(actor=actor, delivery_id=row.delivery_id or 0, at=at)
    return "It waits for somebody again"


def _unreachable(actor: Actor, row: ExchangeAttention) -> Case:
    delivery = row.delivery
    peer = delivery.peer if delivery else None
    waiting = Delivery.objects.filter(peer=peer, status=Delivery.Status.QUEUED).count()
    return Case(
        title=f"{peer.name if peer else 'A system'} does not answer",
        why=(
            f"{row.summary}. {waiting} message{'' if waiting == 1 else 's'} wait for it and go by "
            "themselves, in order, when it answers again. Nothing is lost. Whoever waits there for "
            "a result may have to be phoned."
        ),
        context={
            "facts": [
                ("Address", f"{peer.send_host}:{peer.send_port}" if peer else ""),
                ("Waiting", str(waiting)),
                ("Tries", str(delivery.attempts) if delivery else ""),
                ("Next try", when(delivery.due_at) if delivery else ""),
            ]
        },
        deeds=[Deed("retry", "Try now", key="Enter", main=True)],
    )


def _retry(actor: Actor, row: ExchangeAttention, said: Said, at: datetime.datetime) -> Done:
    peer = row.delivery.peer if row.delivery else None
    peer_retry(actor=actor, peer_id=peer.pk if peer else 0, at=at)
    wake_sender()
    return Done(f"Trying {peer.name if peer else 'it'} now")


def _message_lines(actor: Actor, rows: list[Hl7Attention]) -> dict[int, Line]:
    found = {}
    for row in rows:
        message = row.message
        what = KINDS_OF_MESSAGE.get((message.message_type if message else "")[:3], "A message")
        sender = message.peer.name if message and message.peer else ""
        where = f"{sender} · {message.control_id}" if message else ""
        found[row.pk] = Line(f"{what} was not taken", row.summary, where)
    return found


def _refused(actor: Actor, row: Hl7Attention) -> Case:
    message = row.message
    if message is None:
        return Case(row.summary, "The message is not there any more.")
    sender = message.peer.name if message.peer else message.sending_application
    return Case(
        title=f"A message from {sender} was not taken",
        why=(
            f"{sender} sent it {when(message.received_at)} and was told {message.outcome}: "
            f"“{row.summary}”. The message is kept as it came, and nothing of it took effect. When "
            "the reason is gone, it can be processed from here; otherwise the sender has to send a "
            "better one."
        ),
        template="workspace/attention/message.html",
        chain=[ChainLink("Order", "broken", "not taken"), ChainLink("Booked"), ChainLink("Scan")]
        if message.message_type.startswith("ORM")
        else [],
        context={"message": message, "text": message_readable(message)},
        deeds=[Deed("replay", "Process again", key="Enter", main=True)],
    )


def _replay(actor: Actor, row: Hl7Attention, said: Said, at: datetime.datetime) -> Done:
    message = message_replay(actor=actor, message_id=row.message_id or 0, at=at)
    if message.outcome == message.Outcome.ACCEPTED:
        return Done("The message was taken")
    return Done(f"Refused again: {message.reason}")


KINDS = (
    Kind(
        DEAD,
        ExchangeAttention,
        "Result not delivered",
        "send",
        _delivery_lines,
        _dead,
        group="Results",
        tone="attn",
        acts={"send": _send, "give-up": _give_up},
        undos={"give-up": _take_up},
    ),
    Kind(
        UNREACHABLE,
        ExchangeAttention,
        "System not answering",
        "peerdown",
        _delivery_lines,
        _unreachable,
        group="Connections",
        tone="attn",
        acts={"retry": _retry},
    ),
    Kind(
        REFUSED,
        Hl7Attention,
        "Message not understood",
        "chat",
        _message_lines,
        _refused,
        group="Connections",
        acts={"replay": _replay},
    ),
)
