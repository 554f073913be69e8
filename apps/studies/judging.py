"""Steps of completeness: noting what somebody says a study consists of, and judging it."""

import datetime
from collections import defaultdict
from collections.abc import Sequence

from apps.core.actors import system_actor
from apps.core.steps import require_transaction
from apps.studies.completeness import Counted, Facts, Named, gaps, judge
from apps.studies.domain import ClaimKind, Completeness
from apps.studies.models import Instance, Study, StudyAttention, StudyClaim
from apps.studies.steps import attention_close, attention_open, study_settle

QUIET = datetime.timedelta(seconds=60)
STILL_RUNNING = datetime.timedelta(hours=4)
INCOMPLETE = "incomplete"
IN_PROGRESS = "IN PROGRESS"
MOST_NUMBERS = 20_000


def performed_step_evidence(
    *,
    study_instance_uid: str,
    performed_step_uid: str,
    status: str,
    source: str,
    began_at: datetime.datetime,
    sop_instance_uids: Sequence[str],
    at: datetime.datetime,
    just_ended: bool = False,
) -> None:
    """Note which instances a performed step says it made, and judge its study by that.

    Args:
        study_instance_uid: the study need not be here yet.
        performed_step_uid: of the step.
        status: (0040,0252). While it is in progress more may come.
        source: the station, for a person.
        began_at: when it began: one that never ends is not waited for without end.
        sop_instance_uids: what it names.
        at: now.
        just_ended: the scanner says so now: what is not here is missing, though images still come.
    """
    _note(
        study_instance_uid,
        ClaimKind.PERFORMED_STEP,
        performed_step_uid,
        source=source,
        ended=status != IN_PROGRESS,
        uids=sop_instance_uids,
        at=began_at if status == IN_PROGRESS else at,
    )
    study = _locked(study_instance_uid)
    if study is not None:
        study_judge(study=study, at=at, quiet=True if just_ended else None)


def commitment_evidence(
    *,
    ae_title: str,
    transaction_uid: str,
    site_id: int,
    sop_instance_uids: Sequence[str],
    at: datetime.datetime,
) -> None:
    """Note which instances a peer asks to be kept for good: it has sent them, or means to.

    What is not here belongs to the study of the rest, where all of the rest is of one study;
    otherwise nobody can say where it is missing.

    Source: PS3.4 J.3.2.
    """
    require_transaction()
    here: dict[str, list[str]] = defaultdict(list)
    rows = Instance.objects.filter(
        sop_instance_uid__in=list(sop_instance_uids), series__study__site=site_id
    )
    for uid, owner in rows.values_list("sop_instance_uid", "series__study__study_instance_uid"):
        here[owner].append(uid)
    for study_uid in sorted(here):
        uids = sop_instance_uids if len(here) == 1 else here[study_uid]
        _note(
            study_uid,
            ClaimKind.COMMITMENT,
            f"{ae_title} {transaction_uid}",
            source=ae_title,
            ended=True,
            uids=uids,
            at=at,
        )
        study = _locked(study_uid)
        if study is not None:
            study_judge(study=study, at=at)


def study_judge(
    *,
    study: Study,
    at: datetime.datetime,
    quiet: bool | None = None,
    counted: Sequence[Counted] = (),
) -> None:
    """Judge a locked study by all that is known, tell who waits for it, and show what is missing.

    Args:
        study: locked.
        at: now.
        quiet: whether nothing more is expected to come by itself; None: as the clock says.
        counted: how many images there should be, as the images say.
    """
    require_transaction()
    facts = _facts(study, at, quiet=quiet, counted=counted)
    verdict = judge(facts)
    study.judged_at = at
    if verdict.completeness is Completeness.COMPLETE and study.completed_at is None:
        study.completed_at = at
    study.save(update_fields=["judged_at", "completed_at"])
    study_settle(study=study, to=verdict.completeness, evidence=verdict.words)
    by_scanner = any(named.whole and named.missing for named in facts.named)
    if verdict.completeness is Completeness.PARTIAL and not by_scanner:
        attention_open(
            study=study,
            kind=INCOMPLETE,
            key=study.study_instance_uid,
            summary=f"{verdict.words[:1].upper()}{verdict.words[1:]}",
            at=at,
        )
    elif StudyAttention.objects.filter(study=study, kind=INCOMPLETE, resolved_at=None).exists():
        actor = system_actor("completeness")
        attention_close(
            study=study, kinds=[INCOMPLETE], actor=actor, at=at, resolution=verdict.words
        )


def _note(
    study_instance_uid: str,
    kind: ClaimKind,
    reference: str,
    *,
    source: str,
    ended: bool,
    uids: Sequence[str],
    at: datetime.datetime,
) -> None:
    require_transaction()
    StudyClaim.objects.update_or_create(
        study_instance_uid=study_instance_uid,
        kind=kind.value,
        reference=reference[:100],
        defaults={
            "source": source[:100],
            "ended": ended,
            "sop_instance_uids": sorted(set(uids)),
            "said_at": at,
        },
    )


def _locked(study_instance_uid: str) -> Study | None:
    rows = Study.objects.select_for_update(of=("self",)).select_related("site")
    return rows.filter(study_instance_uid=study_instance_uid).first()


def _facts(
    study: Study, at: datetime.datetime, *, quiet: bool | None, counted: Sequence[Counted]
) -> Facts:
    silence = at - (study.last_received_at or at)
    if quiet is None:
        quiet = silence >= QUIET
    claims = list(
        StudyClaim.objects.filter(study_instance_uid=study.study_instance_uid).order_by("pk")
    )
    running = [
        claim
        for claim in claims
        if not claim.ended and at - max(claim.said_at, study.last_received_at or at) < STILL_RUNNING
    ]
    accepted = [
        claim
        for claim in claims
        if claim.kind == ClaimKind.PERSON
        and (study.last_received_at is None or claim.said_at >= study.last_received_at)
    ]
    late = 0
    if study.completed_at is not None:
        late = Instance.objects.filter(
            series__study=study, received_at__gt=study.completed_at
        ).count()
    return Facts(
        images=study.number_of_instances,
        quiet_s=max(int(silence.total_seconds()), 0) if quiet else None,
        named=[_named(claim) for claim in claims if claim.ended and claim.sop_instance_uids],
        running=f"the scanner's step on {running[0].source}" if running else "",
        counted=counted,
        gaps=_gaps(study) if quiet else {},
        accepted=accepted[-1].source if accepted else "",
        late=late,
    )


def _named(claim: StudyClaim) -> Named:
    here = Instance.objects.filter(sop_instance_uid__in=claim.sop_instance_uids).count()
    whole = claim.kind == ClaimKind.PERFORMED_STEP
    who = "the scanner's step on" if whole else "the storage commitment request of"
    named = len(claim.sop_instance_uids)
    return Named(f"{who} {claim.source}", named, named - here, whole)


def _gaps(study: Study) -> dict[str, str]:
    if study.number_of_instances > MOST_NUMBERS:
        return {}
    numbers: dict[str, list[int]] = defaultdict(list)
    rows = Instance.objects.filter(series__study=study).order_by("series_id")
    names: dict[int, str] = {}
    for key, number, description, text in rows.values_list(
        "series_id", "series__series_number", "series__series_description", "instance_number"
    ):
        label = f"series {number}".strip() + (f" ({description})" if description else "")
        name = names.setdefault(key, label if label not in names.values() else f"{label} #{key}")
        digits = text.strip().removeprefix("+")
        if digits.isdecimal():
            numbers[name].append(int(digits))
    return gaps(numbers)
