"""Modalities and archives that do not take what they asked for: whether their images are safe."""

import datetime
from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.words import when
from apps.dimse.tasks import wake_answerer
from apps.exchange.domain import CommitmentState
from apps.exchange.models import ExchangeAttention, StorageCommitment
from apps.exchange.services import UNDELIVERED, commitments_retry
from apps.workspace.attention.kinds import Case, Deed, Done, Kind, Line, Said


def _waiting(title: str) -> int:
    rows = StorageCommitment.objects.filter(ae_title=title)
    return rows.exclude(state=CommitmentState.REPORTED).count()


def _lines(actor: Actor, rows: list[ExchangeAttention]) -> dict[int, Line]:
    return {
        row.pk: Line(
            _title(row), row.summary.partition(": ")[2], f"{row.details.get('waiting', 0)} waiting"
        )
        for row in rows
    }


def _title(row: ExchangeAttention) -> str:
    return row.key.removeprefix("ae:")


def _case(actor: Actor, row: ExchangeAttention) -> Case:
    title, commitment = _title(row), row.commitment
    waiting = _waiting(title)
    return Case(
        title=f"{title} does not hear that its images are safe",
        why=(
            f"{row.summary}. It asked whether its images are stored for good, and {waiting} "
            f"answer{'' if waiting == 1 else 's'} wait for it. The images are here; but until it "
            "hears so it will not delete its own, and its disk may fill. Look whether its "
            "address and port are right, and whether it listens for storage commitment."
        ),
        context={
            "facts": [
                ("Waiting", str(waiting)),
                ("Tries", str(commitment.attempts) if commitment else ""),
                ("Next try", when(commitment.due_at) if commitment else ""),
                ("Tried until", when(commitment.give_up_at) if commitment else ""),
            ]
        },
        deeds=[Deed("retry", "Try now", key="Enter", main=True)],
        links=[("database", "What it asked and was told", _ledger(title))]
        if actor.may(Permission.PERFORM_WRITE)
        else [],
    )


def _ledger(title: str) -> str:
    return f"{reverse('workspace:commitments')}?{urlencode({'who': title})}"


def _retry(actor: Actor, row: ExchangeAttention, said: Said, at: datetime.datetime) -> Done:
    title = _title(row)
    commitments_retry(actor=actor, ae_title=title, at=at)
    wake_answerer()
    return Done(f"Trying {title} now")


KINDS = (
    Kind(
        UNDELIVERED,
        ExchangeAttention,
        "Storage not confirmed",
        "peerdown",
        _lines,
        _case,
        group="Connections",
        tone="attn",
        acts={"retry": _retry},
    ),
)
