"""The one ingest: every door's received objects become part of the index here."""

import datetime
import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import structlog
from django.db import IntegrityError, OperationalError, transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.accounts.selectors import main_site
from apps.archive.incoming import Staged, discard_staged, publish_staged
from apps.archive.models import Location
from apps.audit.models import Outcome
from apps.audit.steps import record, record_read
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.core.steps import publish
from apps.studies import audit_events
from apps.studies.domain import IntakeAction
from apps.studies.errors import DefectiveError
from apps.studies.ingest.flagging import flag
from apps.studies.ingest.lost import adopt_repeats
from apps.studies.ingest.quarantine import Held, hold
from apps.studies.ingest.quick import file_quickly, remember
from apps.studies.ingest.received import Received, read_received
from apps.studies.ingest.rows import (
    Filed,
    file_instances,
    refresh_studies,
    where_they_are,
)
from apps.studies.ingest.rules import DEFAULT, findings_under, rule_for
from apps.studies.ingest.studies import series_for, studies_for
from apps.studies.models import Study
from apps.studies.steps import OTHER_VERSION, attention_open, study_match
from apps.studies.validation import Finding

log = structlog.get_logger(__name__)

TRIES = 3
IN_THE_WAY = ("40P01", "23505")
"""Deadlock, unique violation."""


class InstanceStatus(enum.StrEnum):
    """What became of an object."""

    STORED = "stored"
    ALREADY_HERE = "already-here"
    OTHER_VERSION = "other-version"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class InstanceResult:
    """The answer for one object.

    Attributes:
        error: set where it was refused.
        findings: its defects, where it has any.
        quarantined: its bytes wait for a person, whether it was refused or held back.
    """

    staged: Staged
    status: InstanceStatus
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    error: DomainError | None = None
    findings: tuple[Finding, ...] = ()
    quarantined: bool = False


def instances_record(
    *,
    actor: Actor,
    batch: Sequence[Staged],
    at: datetime.datetime,
    door: str,
    as_it_is: bool = False,
) -> list[InstanceResult]:
    """Make one sender's staged objects part of the index; see `instances_record_from`.

    Args:
        actor: whose site the studies belong to.
        batch: from `IncomingObject.finish`.
        at: time of receipt.
        door: `dimse`, `dicomweb`, `page`, `import`.
        as_it_is: a person decided to take defects; the rule for the source is not asked.

    Raises:
        NotPermittedError: the actor may not store.
        StorageError: the folders could not be made durable; nothing is recorded.
    """
    return instances_record_from(
        batch=[(actor, staged) for staged in batch], at=at, door=door, as_it_is=as_it_is
    )


def instances_record_from(
    *,
    batch: Sequence[tuple[Actor, Staged]],
    at: datetime.datetime,
    door: str,
    as_it_is: bool = False,
    durable: Callable[[], None] | None = None,
) -> list[InstanceResult]:
    """Make staged objects, each with its sender, part of the index; return one result each.

    On return, what is stored is durable: files and folders were synced before the commit. Objects
    may come from several senders and associations; each study among them gets at most one outbox
    event, and one audit event for each association. Idempotent on SOP Instance UID and digest: the
    same data set again is `ALREADY_HERE`; another one under the same UID is kept as a version and
    shown to a person. Refused and repeated files are removed.

    What has defects is stored and shown to a person, refused, or kept in quarantine, as the rule
    for the actor says; with the last, what cannot be read is refused, and kept there all the same.

    Args:
        batch: from `IncomingObject.finish`, or from `staged` where `durable` syncs them.
        at: time of receipt.
        door: as for `instances_record`.
        as_it_is: as for `instances_record`.
        durable: syncs what is not synced yet; called once, before the first commit.

    Raises:
        NotPermittedError: an actor may not store.
        StorageError: files or folders could not be made durable; nothing is recorded.
        Exception: part of the batch could not be recorded, part may have been: give each again.

    Source: PS3.4 B.2.3; DESIGN section 5, Ingest.
    """
    for actor, _ in batch:
        policy.require(actor, Permission.STUDY_STORE)

    @cache
    def settle() -> None:
        if durable is not None:
            durable()
        publish_staged([staged for _, staged in batch])

    results: dict[int, InstanceResult] = {}
    good: list[tuple[int, Received]] = []
    held: dict[int, Held] = {}
    for index, (actor, staged) in enumerate(batch):
        found = _read(actor, staged, as_it_is=as_it_is)
        if isinstance(found, Received):
            good.append((index, found))
            continue
        results[index], waits = found
        if waits is not None:
            held[index] = waits
    senders = [(batch[index][0], one) for index, one in good]
    quick = file_quickly(senders, at=at, door=door, durable=settle)
    settle()
    for actor, places in _by_sender(batch, held):
        _hold_back(actor, [held[index] for index in places], at, door)
    filed = {good[place][0]: Filed(good[place][1], key, new=True) for place, key in quick.items()}
    results |= _record_good(batch, good, filed, at, door)
    ordered = [results[index] for index in range(len(batch))]
    _discard_spare(ordered)
    refused = [i for i, result in results.items() if result.status is InstanceStatus.REFUSED]
    for actor, places in _by_sender(batch, refused):
        _record_refused(actor, [results[index] for index in places], door)
    return ordered


def _by_sender(
    batch: Sequence[tuple[Actor, Staged]], places: Iterable[int]
) -> Iterator[tuple[Actor, list[int]]]:
    """Yield each sender's places of the batch, each association by itself."""
    groups: dict[tuple[Actor, str], list[int]] = {}
    for index in sorted(places):
        actor = batch[index][0]
        groups.setdefault((actor, actor.association), []).append(index)
    for (actor, _), found in groups.items():
        yield actor, found


def _read(
    actor: Actor, staged: Staged, *, as_it_is: bool
) -> Received | tuple[InstanceResult, Held | None]:
    """Return what the index needs, or the answer for what the sender's rule does not let in."""
    rule = DEFAULT if as_it_is else rule_for(actor)
    try:
        received = read_received(staged)
    except DomainError as error:
        log.info("ingest.refused", code=error.code, details=error.details, actor=actor.key)
        if rule.action is IntakeAction.QUARANTINE:
            held = Held(staged, error=error)
            return _held_result(held), held
        return InstanceResult(staged, InstanceStatus.REFUSED, error=error), None
    findings = findings_under(rule, received)
    if findings and rule.action is IntakeAction.QUARANTINE:
        held = Held(staged, received, findings)
        return _held_result(held), held
    if findings and rule.action is IntakeAction.REFUSE:
        defects = DefectiveError(reason=findings[0].detail, findings=findings)
        return InstanceResult(staged, InstanceStatus.REFUSED, error=defects), None
    return replace(received, findings=findings) if findings else received


def _record_good(
    batch: Sequence[tuple[Actor, Staged]],
    good: Sequence[tuple[int, Received]],
    filed: dict[int, Filed],
    at: datetime.datetime,
    door: str,
) -> dict[int, InstanceResult]:
    """Record what the hot path did not take, sender by sender; answer for all."""
    received = dict(good)
    for actor, places in _by_sender(batch, received.keys() - filed.keys()):
        rest = _record_again(actor, [received[index] for index in places], at, door)
        filed |= dict(zip(places, rest, strict=True))
    return {
        index: InstanceResult(
            one.received.staged,
            _status(one),
            received[index].study_instance_uid,
            received[index].series_instance_uid,
            findings=received[index].findings,
        )
        for index, one in filed.items()
    }


def _status(filed: Filed) -> InstanceStatus:
    if filed.new:
        return InstanceStatus.STORED
    return InstanceStatus.OTHER_VERSION if filed.version else InstanceStatus.ALREADY_HERE


@transaction.atomic(durable=True)
def _hold_back(actor: Actor, batch: Sequence[Held], at: datetime.datetime, door: str) -> None:
    hold(actor=actor, site=_site(actor), batch=batch, at=at, door=door)


def _held_result(held: Held) -> InstanceResult:
    """Say what became of an object in quarantine: what cannot be read stays refused."""
    if held.received is None:
        return InstanceResult(
            held.staged, InstanceStatus.REFUSED, error=held.error, quarantined=True
        )
    return InstanceResult(
        held.staged,
        InstanceStatus.QUARANTINED,
        held.received.study_instance_uid,
        held.received.series_instance_uid,
        findings=held.findings,
        quarantined=True,
    )


def _site(actor: Actor) -> Site:
    return Site.objects.get(pk=actor.home_site) if actor.home_site else main_site()


def _record_again(
    actor: Actor, batch: Sequence[Received], at: datetime.datetime, door: str
) -> list[Filed]:
    """Record; where another writer was in the way, once more.

    The database chose this batch as a deadlock's victim, or another one filed one of its instances
    first: that is a repeat or a version now.
    """
    for tries in range(TRIES):
        try:
            filed, studies = _record(actor, batch, at, door)
        except (OperationalError, IntegrityError) as error:
            if tries + 1 == TRIES or getattr(error.__cause__, "sqlstate", "") not in IN_THE_WAY:
                raise
        else:
            remember(studies)
            return filed
    raise AssertionError


@transaction.atomic(durable=True)
def _record(
    actor: Actor, batch: Sequence[Received], at: datetime.datetime, door: str
) -> tuple[list[Filed], list[Study]]:
    site = _site(actor)
    batch = where_they_are(batch)
    studies, created = studies_for(batch, actor=actor, site=site, at=at)
    series = series_for(batch, studies, created)
    filed = file_instances(
        [(r, series[r.study_instance_uid, r.series_instance_uid]) for r in batch],
        source=actor.display[:100],
        at=at,
    )
    adopt_repeats(filed, actor=actor, at=at)
    fresh = [one.received for one in filed if one.new]
    touched = sorted({received.study_instance_uid for received in fresh})
    changed = [studies[uid] for uid in touched]
    refresh_studies(
        changed, [(r, series[r.study_instance_uid, r.series_instance_uid]) for r in fresh]
    )
    _match_new(created, fresh, actor, at)
    _tell(changed, filed, studies, actor, at, door)
    return filed, changed


def _match_new(
    created: Sequence[Study], fresh: Sequence[Received], actor: Actor, at: datetime.datetime
) -> None:
    procedure_ids: dict[str, list[str]] = defaultdict(list)
    for received in fresh:
        procedure_ids[received.study_instance_uid] += [
            request["requested_procedure_id"] for request in received.requests
        ]
    for study in created:
        study_match(
            study=study, actor=actor, at=at, procedure_ids=procedure_ids[study.study_instance_uid]
        )


def _tell(  # noqa: PLR0917 - one caller, which has them all at hand
    changed: Sequence[Study],
    filed: Sequence[Filed],
    studies: dict[str, Study],
    actor: Actor,
    at: datetime.datetime,
    door: str,
) -> None:
    for study in changed:
        record_read(
            actor=actor,
            event=audit_events.STORED,
            door=door,
            patient=study.patient_id,
            study=study.study_instance_uid,
        )
        publish(
            name="studies.study.received",
            aggregate=f"study:{study.pk}",
            payload={"study_id": study.pk, "study_instance_uid": study.study_instance_uid},
        )
        live.notify(live.READING_LIST, str(study.pk))
    for one in filed:
        if one.kept:
            _tell_of_version(one, studies[one.received.study_instance_uid], actor, at)
    flag(
        [o.received for o in filed if o.new and o.received.findings],
        studies,
        actor=actor,
        at=at,
    )


def _tell_of_version(one: Filed, study: Study, actor: Actor, at: datetime.datetime) -> None:
    """Open an item, and have the two compared beside the ingest."""
    attention_open(
        study=study,
        kind=OTHER_VERSION,
        key=one.received.sop_instance_uid,
        summary="An image came again with other content; the first stays current",
        at=at,
        sop_instance_uid=one.received.sop_instance_uid,
        source=actor.display,
    )
    publish(
        name="studies.instance.came-again",
        aggregate=f"study:{study.pk}",
        payload={"study_id": study.pk, "instance_id": one.instance_id},
    )


def _discard_spare(results: Sequence[InstanceResult]) -> None:
    """Remove files that no row names.

    A repeat may be this very file: recorded by an earlier try whose answer was lost. It stays.
    """
    spare = [result.staged for result in results if result.status is not InstanceStatus.STORED]
    keys = [staged.key for staged in spare]
    named = set(Location.objects.filter(key__in=keys).values_list("storage", "key")) if keys else ()
    for staged in spare:
        if (staged.storage, staged.key) not in named:
            discard_staged(staged)


@transaction.atomic(durable=True)
def _record_refused(actor: Actor, refused: Sequence[InstanceResult], door: str) -> None:
    record(
        actor=actor,
        event=audit_events.REFUSED,
        door=door,
        outcome=Outcome.MINOR_FAILURE,
        instances=[
            {"uid": r.staged.sop_instance_uid, "code": r.error.code if r.error else ""}
            for r in refused
        ],
    )
