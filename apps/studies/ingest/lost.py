"""An image that came again while no good copy of it was left: the sender mends the archive."""

import datetime
from collections.abc import Sequence

from apps.archive.models import StoredObject
from apps.archive.selectors import without_good_copy
from apps.archive.steps import copy_add
from apps.core.actors import Actor
from apps.studies.ingest.received import Received
from apps.studies.ingest.rows import Filed
from apps.studies.models import Instance


def adopt_repeats(filed: Sequence[Filed], *, actor: Actor, at: datetime.datetime) -> None:
    """Keep the files of repeats whose object has lost every good copy, instead of dropping them.

    The data sets are the same by their digest; the file around it may be longer or shorter, so what
    counts from the file's beginning is written anew.
    """
    repeats = {one.instance_id: one.received for one in filed if not one.new and not one.version}
    if not repeats:
        return
    objects = dict(Instance.objects.filter(pk__in=list(repeats)).values_list("stored_object", "pk"))
    for stored in without_good_copy(objects):
        received = repeats[objects[stored.pk]]
        if received.staged.transfer_syntax_uid == stored.transfer_syntax_uid:
            _adopt(stored, objects[stored.pk], received, actor, at)


def _adopt(
    stored: StoredObject,
    instance_id: int,
    received: Received,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    staged = received.staged
    stored.size_bytes, stored.dataset_offset = staged.size_bytes, staged.dataset_offset
    stored.save(update_fields=["size_bytes", "dataset_offset"])
    Instance.objects.filter(pk=instance_id).update(pixel_offset=received.pixel_offset)
    copy_add(
        actor=actor, stored=stored, storage=staged.storage, key=staged.key, at=at, repaired=True
    )
