"""Telling a person of objects that were taken with defects: once for each sender and kind."""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence

from apps.core.actors import Actor
from apps.core.steps import require_transaction
from apps.studies.ingest.received import Received
from apps.studies.models import Study, StudyAttention
from apps.studies.steps import FLAGGED, attention_open
from apps.studies.validation import Finding

STUDIES_KEPT = 100


def flag(
    defective: Sequence[Received],
    studies: Mapping[str, Study],
    *,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """Open an item for each kind of defect of this sender, or count up the one that is open.

    A scanner that is set wrong makes the same defect in every image: that is one thing to mend.
    """
    require_transaction()
    found: dict[str, list[tuple[Received, Finding]]] = defaultdict(list)
    for received in defective:
        site = studies[received.study_instance_uid].site_id
        for finding in {f.code: f for f in reversed(received.findings)}.values():
            found[f"{site}:{actor.key} {finding.code}"].append((received, finding))
    for key in sorted(found):  # in one order, so that batches never wait in a circle
        _count(key, found[key], studies, actor, at)


def _count(
    key: str,
    found: Sequence[tuple[Received, Finding]],
    studies: Mapping[str, Study],
    actor: Actor,
    at: datetime.datetime,
) -> None:
    rows = StudyAttention.objects.filter(kind=FLAGGED, key=key, resolved_at=None)
    item = rows.select_for_update().first()
    if item is None:
        received, finding = found[0]
        attention_open(
            study=studies[received.study_instance_uid],
            kind=FLAGGED,
            key=key,
            summary=f"Taken with a defect: {finding.words[0].lower()}{finding.words[1:]}",
            at=at,
            code=finding.code,
            detail=finding.detail,
            sop_instance_uid=received.sop_instance_uid,
            source=actor.display,
            images=0,
            studies=[],
        )
        item = rows.select_for_update().get()
    uids = [received.study_instance_uid for received, _ in found]
    kept = item.details.get("studies", [])
    item.details |= {
        "images": item.details.get("images", 1) + len(found),
        "studies": list(dict.fromkeys([*kept, *uids]))[:STUDIES_KEPT],
    }
    item.save(update_fields=["details"])
