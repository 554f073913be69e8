"""The one ingest: every door's received objects become part of the index here."""

import datetime
import enum
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from django.db import OperationalError, transaction

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
from apps.studies.domain import Completeness, IntakeAction
from apps.studies.errors import DefectiveError
from apps.studies.ingest.quarantine import Held, hold
from apps.studies.ingest.received import Received, read_received
from apps.studies.ingest.rows import Filed, file_instances, refresh_counts
from apps.studies.ingest.rules import DEFAULT, findings_under, rule_for
from apps.studies.ingest.studies import series_for, studies_for
from apps.studies.models import Study
from apps.studies.steps import FLAGGED, OTHER_VERSION, attention_open, study_match
from apps.studies.validation import Finding

log = structlog.get_logger(__name__)

DEADLOCK_TRIES = 3


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
    """Make staged objects part of the index; return one result each, in order.

    On return, what is stored is durable: files and folders were synced before the commit. Objects
    may come from several associations; each study among them gets one event. Idempotent
    on SOP Instance UID and digest: the same data set again is `ALREADY_HERE`; another one under the
    same UID is kept as a version and shown to a person. Refused and repeated files are removed.

    Args:
        actor: whose site the studies belong to.
        batch: from `IncomingObject.finish`.
        at: time of receipt.
        door: `dimse`, `dicomweb`, `page`, `import`.
        as_it_is: a person decided to take defects; the rule for the source is not asked.

    What has defects is stored and shown to a person, refused, or kept in quarantine, as the rule
    for the actor says; with the last, what cannot be read is refused, and kept there all the same.

    Raises:
        NotPermittedError: the actor may not store.
        StorageError: the folders could not be made durable; nothing is recorded.

    Source: PS3.4 B.2.3; DESIGN section 5, Ingest.
    """
    policy.require(actor, Permission.STUDY_STORE)
    results: dict[int, InstanceResult] = {}
    good: list[tuple[int, Received]] = []
    held: list[tuple[int, Held]] = []
    publish_staged(batch)
    rule = DEFAULT if as_it_is else rule_for(actor)
    for index, staged in enumerate(batch):
        try:
            received = read_received(staged)
        except DomainError as error:
            if rule.action is IntakeAction.QUARANTINE:
                held.append((index, Held(staged, error=error)))
            log.info("ingest.refused", code=error.code, details=error.details, actor=actor.key)
            results[index] = InstanceResult(staged, InstanceStatus.REFUSED, error=error)
            continue
        findings = findings_under(rule, received)
        if findings and rule.action is IntakeAction.QUARANTINE:
            held.append((index, Held(staged, received, findings)))
        elif findings and rule.action is IntakeAction.REFUSE:
            defects = DefectiveError(reason=findings[0].detail, findings=findings)
            results[index] = InstanceResult(staged, InstanceStatus.REFUSED, error=defects)
        else:
            good.append((index, replace(received, findings=findings) if findings else received))
    if held:
        _hold_back(actor, [h for _, h in held], at, door)
        results |= {index: _held_result(h) for index, h in held}
    if good:
        filed = _record_again(actor, [received for _, received in good], at, door)
        for (index, received), one in zip(good, filed, strict=True):
            results[index] = InstanceResult(
                received.staged,
                _status(one),
                received.study_instance_uid,
                received.series_instance_uid,
                findings=received.findings,
            )
    _after(actor, [results[index] for index in range(len(batch))], door)
    return [results[index] for index in range(len(batch))]


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
    """Record; where the database chose this batch as a deadlock's victim, once more."""
    for tries in range(DEADLOCK_TRIES):
        try:
            return _record(actor, batch, at, door)
        except OperationalError as error:
            if tries + 1 == DEADLOCK_TRIES or getattr(error.__cause__, "sqlstate", "") != "40P01":
                raise
    raise AssertionError


@transaction.atomic(durable=True)
def _record(
    actor: Actor, batch: Sequence[Received], at: datetime.datetime, door: str
) -> list[Filed]:
    site = _site(actor)
    studies, created = studies_for(batch, actor=actor, site=site, at=at)
    series = series_for(batch, studies)
    filed = file_instances(
        [(r, series[r.study_instance_uid, r.series_instance_uid]) for r in batch],
        source=actor.display[:100],
        at=at,
    )
    fresh = [one.received for one in filed if one.new]
    touched = sorted({received.study_instance_uid for received in fresh})
    changed = [studies[uid] for uid in touched]
    if changed:
        for study in changed:
            study.completeness, study.completeness_evidence = Completeness.RECEIVING.value, ""
        pairs = [(r, series[r.study_instance_uid, r.series_instance_uid]) for r in fresh]
        refresh_counts(changed, pairs, at)
    _match_new(created, fresh, actor, at)
    _tell(changed, filed, studies, actor, at, door)
    return filed


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
        if one.version:
            attention_open(
                study=studies[one.received.study_instance_uid],
                kind=OTHER_VERSION,
                key=one.received.sop_instance_uid,
                summary="An image came again with other content; the first stays current",
                at=at,
                sop_instance_uid=one.received.sop_instance_uid,
                source=actor.display,
            )
    _flag([o.received for o in filed if o.new and o.received.findings], studies, actor, at)


def _flag(
    defective: Sequence[Received],
    studies: dict[str, Study],
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """Show a person each kind of defect that a study was taken with, once."""
    kinds = {
        (received.study_instance_uid, finding.code): (received, finding)
        for received in reversed(defective)
        for finding in received.findings
    }
    for (uid, _), (received, finding) in kinds.items():
        study = studies[uid]
        attention_open(
            study=study,
            kind=FLAGGED,
            key=f"{study.study_instance_uid} {finding.code}",
            summary=f"Taken with a defect: {finding.words[0].lower()}{finding.words[1:]}",
            at=at,
            code=finding.code,
            detail=finding.detail,
            sop_instance_uid=received.sop_instance_uid,
            source=actor.display,
        )


def _after(actor: Actor, results: Sequence[InstanceResult], door: str) -> None:
    """Remove files that no row names, and put refusals on record.

    A repeat may be this very file: recorded by an earlier try whose answer was lost. It stays.
    """
    spare = [result.staged for result in results if result.status is not InstanceStatus.STORED]
    keys = [staged.key for staged in spare]
    named = set(Location.objects.filter(key__in=keys).values_list("storage", "key")) if keys else ()
    for staged in spare:
        if (staged.storage, staged.key) not in named:
            discard_staged(staged)
    refused = [result for result in results if result.status is InstanceStatus.REFUSED]
    if refused:
        with transaction.atomic():
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
