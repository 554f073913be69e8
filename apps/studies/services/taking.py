"""Taking files, of a folder, a ZIP or an upload, through the one ingest; each is answered for."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apps.archive.incoming import Staged, discard_staged
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.studies.domain import FileOutcome
from apps.studies.importing import NotDicomFileError, Opened, stage_file
from apps.studies.services.instances import InstanceResult, InstanceStatus, instances_record

BATCH = 64


@dataclass(frozen=True, slots=True)
class FileTaken:
    """What became of a file.

    Attributes:
        words: why, where it was left alone or refused.
    """

    name: str
    outcome: FileOutcome
    words: str = ""
    study_instance_uid: str = ""
    sop_instance_uid: str = ""


def files_take(
    files: Iterable[tuple[str, Opened]], *, actor: Actor, door: str
) -> Iterator[FileTaken]:
    """Take files in batches, and yield what became of each once it is durable.

    What is no DICOM file is left alone and told. Memory holds one chunk of one file.

    Args:
        files: names with what opens them, each read to its end before the next is asked for.
        actor: whose site the studies belong to.
        door: `page` or `import`.

    Raises:
        StorageError: the archive could not take it; give all again.
    """
    waiting: list[tuple[str, Staged]] = []
    left: list[FileTaken] = []
    try:
        for name, opened in files:
            try:
                with opened() as file:
                    waiting.append((name, stage_file(file)))
            except (NotDicomFileError, OSError) as error:
                left.append(FileTaken(name, FileOutcome.LEFT, _words(error)))
            if len(waiting) + len(left) >= BATCH:
                batch, waiting = waiting, []
                yield from (*left, *_record(batch, actor, door, clock.now()))
                left = []
    except BaseException:
        for _, staged in waiting:
            discard_staged(staged)
        raise
    yield from (*left, *_record(waiting, actor, door, clock.now()))


def taken(name: str, result: InstanceResult) -> FileTaken:
    """Say what became of a file that was recorded."""
    if result.status is InstanceStatus.REFUSED:
        words = result.error.message if result.error else ""
        if result.quarantined:
            words = f"{words} It waits in quarantine."
        return FileTaken(
            name, FileOutcome.REFUSED, words, sop_instance_uid=result.staged.sop_instance_uid
        )
    return FileTaken(
        name,
        FileOutcome(result.status.value),
        study_instance_uid=result.study_instance_uid,
        sop_instance_uid=result.staged.sop_instance_uid,
    )


def _record(
    batch: list[tuple[str, Staged]], actor: Actor, door: str, at: datetime.datetime
) -> Iterator[FileTaken]:
    if not batch:
        return
    results = instances_record(actor=actor, batch=[s for _, s in batch], at=at, door=door)
    for (name, _), result in zip(batch, results, strict=True):
        yield taken(name, result)


def _words(error: Exception) -> str:
    return error.message if isinstance(error, DomainError) else f"It cannot be read: {error}"
