"""Orders whose code the catalogue does not know."""

import datetime
import re
from typing import Any

from django.urls import reverse

from apps.accounts.domain import Permission
from apps.accounts.models import Hl7Peer
from apps.core.actors import Actor
from apps.core.chain import ChainLink
from apps.core.errors import InvalidInputError
from apps.core.words import person_name, when
from apps.orders.models import OrderAttention, Procedure, RequestedProcedure
from apps.orders.selectors import orders_visible_to, procedures_active
from apps.orders.services import unknown_procedure_resolve, unknown_procedure_undo
from apps.orders.steps import UNKNOWN_PROCEDURE
from apps.patients.selectors import current
from apps.workspace.attention.kinds import Case, Deed, Done, Kind, Line, Said

GUESSES = 3
WORD = re.compile(r"[a-z]{2,}|\d+")


def _lines(actor: Actor, rows: list[OrderAttention]) -> dict[int, Line]:
    visible = orders_visible_to(actor, Permission.ATTENTION_READ)
    orders = {
        order.pk: order
        for order in visible.filter(pk__in=[row.order_id for row in rows]).select_related(
            "patient__survivor"
        )
    }
    found = {}
    for row in rows:
        order = orders.get(row.order_id or 0)
        who = str(person_name(current(order.patient))) if order else ""
        where = f"ordered {when(order.ordered_at)} · {order.accession_number}" if order else ""
        text = row.details.get("text") or ""
        found[row.pk] = Line(f"{text}, code {row.details['code']}".strip(", "), who, where)
    return found


def _case(actor: Actor, row: OrderAttention) -> Case:
    visible = orders_visible_to(actor, Permission.ATTENTION_READ)
    order = visible.select_related("patient__survivor").filter(pk=row.order_id or 0).first()
    code, text = row.details["code"], row.details.get("text") or ""
    peer = Hl7Peer.objects.filter(pk=row.details.get("peer_id")).first()
    sender = peer.name if peer else "The sender"
    named = f"“{text}”, code {code}" if text and text != code else f"code {code}"
    case = Case(
        title=f"Nobody told us what {code} means",
        why=(
            f"{sender} ordered {named}. The catalogue has no such code, so there is no scanner, "
            "no length and no room for it. The order was accepted and is safe; it cannot be booked "
            "until somebody says which exam is meant."
        ),
        template="workspace/attention/unknown_procedure.html",
        chain=[
            ChainLink("Order", "broken", "code not known"),
            ChainLink("Booked", "todo", "waits"),
            ChainLink("Scan"),
            ChainLink("Read"),
            ChainLink("Result"),
        ],
        context={
            "code": code,
            "sender": sender,
            "can_remember": peer is not None,
            "guesses": guesses(text or code),
            "procedures": procedures_active(),
            "order": order,
            "exam": RequestedProcedure.objects.filter(pk=row.details.get("exam_id")).first(),
        },
        deeds=[Deed("map", "Use this exam", key="Enter", main=True)],
    )
    if order is not None:
        case.context["patient"] = current(order.patient)
        case.patient_id = order.patient_id
        case.links = [
            ("doc", "Open the order", reverse("workspace:order", kwargs={"pk": order.pk}))
        ]
    return case


def guesses(text: str) -> list[tuple[Procedure, int, list[str]]]:
    """Return up to three procedures that share words with what was sent, best first."""
    wanted = set(WORD.findall(text.lower()))
    ranked = []
    for procedure in procedures_active():
        own = set(
            WORD.findall(f"{procedure.modality} {procedure.meaning} {procedure.body_part}".lower())
        )
        shared = [w for w in sorted(own) if any(w.startswith(x) or x.startswith(w) for x in wanted)]
        if shared:
            ranked.append((procedure, round(100 * len(shared) / max(len(own), 1)), shared))
    return sorted(ranked, key=lambda guess: (-guess[1], guess[0].pk))[:GUESSES]


def _map(actor: Actor, row: OrderAttention, said: Said, at: datetime.datetime) -> Done:
    chosen = said.get("other") or said.get("procedure") or ""
    if not chosen.isdecimal():
        message = "Choose the exam that the code means."
        raise InvalidInputError(message, field="procedure")
    item = unknown_procedure_resolve(
        actor=actor,
        item_id=row.pk,
        procedure_id=int(chosen),
        remember=bool(said.get("remember")),
        at=at,
    )
    return Done(item.resolution, "map")


def _unmap(actor: Actor, row: Any, said: Said, at: datetime.datetime) -> str:
    unknown_procedure_undo(actor=actor, item_id=row.pk, at=at)
    return f"{row.details['code']} is unknown again"


KINDS = (
    Kind(
        UNKNOWN_PROCEDURE,
        OrderAttention,
        "Code not known",
        "help",
        _lines,
        _case,
        tone="attn",
        acts={"map": _map},
        undos={"map": _unmap},
    ),
)
