"""What we keep for good of a list of instances: the answer to a storage commitment request.

Source: PS3.4 Annex J.
"""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from apps.archive.verification import copies_verify
from apps.studies.models import Instance, InstanceVersion

BATCH = 1000


class FailureReason(IntEnum):
    """Why an instance is not committed. Source: PS3.3 C.14.1.1 (0008,1197)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance as a peer names it."""

    sop_class_uid: str
    sop_instance_uid: str


def references_check(
    references: Sequence[Reference], *, site_id: int, at: datetime.datetime
) -> dict[Reference, FailureReason]:
    """Return the references that we do not answer for, with the reason; all others are safe.

    Safe is an instance in the index of which every data set that we ever acknowledged under its
    UID, later versions included, has a verified copy (`archive.verification.copies_verify`).

    An instance of another site looks absent. Confidentiality is not asked: the peer names UID and
    class of what it holds itself, and learns only that it need not hold it any longer.

    Args:
        references: what the peer asks about.
        site_id: the site it belongs to.
        at: now.
    """
    found: dict[str, tuple[str, set[int]]] = {}
    uids = list(dict.fromkeys(reference.sop_instance_uid for reference in references))
    for start in range(0, len(uids), BATCH):
        found |= _held(uids[start : start + BATCH], site_id)
    wanted = {
        key
        for reference in references
        if (held := found.get(reference.sop_instance_uid)) and held[0] == reference.sop_class_uid
        for key in held[1]
    }
    verified = copies_verify(wanted, at=at)
    failed: dict[Reference, FailureReason] = {}
    for reference in references:
        sop_class, objects = found.get(reference.sop_instance_uid, ("", set()))
        if not objects:
            failed[reference] = FailureReason.NO_SUCH_INSTANCE
        elif sop_class != reference.sop_class_uid:
            failed[reference] = FailureReason.CLASS_INSTANCE_CONFLICT
        elif not objects <= verified:
            failed[reference] = FailureReason.PROCESSING_FAILURE
    return failed


def _held(uids: list[str], site_id: int) -> dict[str, tuple[str, set[int]]]:
    """Return SOP class and stored objects, versions included, by SOP Instance UID."""
    rows = Instance.objects.filter(sop_instance_uid__in=uids, series__study__site=site_id)
    current = list(rows.values_list("pk", "sop_instance_uid", "sop_class_uid", "stored_object"))
    versions: dict[int, set[int]] = defaultdict(set)
    for instance, stored_object in InstanceVersion.objects.filter(
        instance__in=[row[0] for row in current]
    ).values_list("instance", "stored_object"):
        versions[instance].add(stored_object)
    return {uid: (kind, {key, *versions[pk]}) for pk, uid, kind, key in current}
