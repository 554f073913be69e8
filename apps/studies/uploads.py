"""Looking at uploads. Each belongs to the person who began it, and to nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count, F, QuerySet, Sum

from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.studies.domain import FileOutcome
from apps.studies.models import Study, StudyAttention, StudyMatch, Upload, UploadedFile
from apps.studies.selectors import studies_visible_to
from apps.studies.steps import CONFLICT, UNMATCHED

SHOWN_STUDIES = 100
SHOWN_REASONS = 200


@dataclass(slots=True)
class UploadedStudy:
    """A study that an upload brought or added to, as the person may see it.

    Attributes:
        counts: files by outcome.
        attention: the open item that says it belongs to no order, or to another person's.
    """

    study: Study
    counts: dict[str, int] = field(default_factory=dict)
    matched: bool = False
    attention: StudyAttention | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Files that share what became of them and why."""

    outcome: str
    words: str
    count: int
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is: files and bytes in all, files with an outcome, files that wait."""

    files: int
    done: int
    waiting: int
    size_bytes: int
    received_bytes: int


def upload_access(actor: Actor, pk: int, *, lock: bool = False) -> Upload:
    """Return an upload of the actor.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    rows = Upload.objects.select_for_update() if lock else Upload.objects.all()
    upload = rows.filter(pk=pk, user=actor.user_id or 0).first()
    if upload is None:
        raise NotFoundError(item=pk)
    return upload


def file_access(actor: Actor, pk: int) -> UploadedFile:
    """Return a file of an upload of the actor that has not ended.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    file = (
        UploadedFile.objects.select_related("upload")
        .filter(pk=pk, parent=None, upload__user=actor.user_id or 0, upload__ended_at=None)
        .first()
    )
    if file is None:
        raise NotFoundError(item=pk)
    return file


def files_access(actor: Actor, upload_id: int, pks: Sequence[int]) -> list[UploadedFile]:
    """Return files of one upload of the actor that has not ended, in the order asked for.

    Raises:
        NotFoundError: one is absent, or somebody else's.
    """
    rows = UploadedFile.objects.filter(
        upload=upload_id, parent=None, upload__user=actor.user_id or 0, upload__ended_at=None
    ).in_bulk(pks)
    if not pks or len(rows) < len(pks):
        raise NotFoundError(item=upload_id)
    return [rows[pk] for pk in pks]


def open_upload(actor: Actor) -> Upload | None:
    """Return the last upload of the actor that has files and has not ended."""
    rows = Upload.objects.filter(user=actor.user_id or 0, ended_at=None, files__isnull=False)
    return rows.order_by("-pk").first()


def upload_progress(upload: Upload) -> Progress:
    """Return how far it is; files within ZIPs are not counted, they come with their ZIP."""
    rows = upload.files.filter(parent=None)
    sums = rows.aggregate(n=Count("pk"), size=Sum("size_bytes"), received=Sum("received_bytes"))
    done = rows.exclude(outcome="")
    here = done.filter(received_bytes=0).aggregate(size=Sum("size_bytes"))["size"] or 0
    waiting = rows.filter(outcome="", received_bytes=F("size_bytes")).count()
    return Progress(
        sums["n"], done.count(), waiting, sums["size"] or 0, (sums["received"] or 0) + here
    )


def upload_studies(actor: Actor, upload: Upload) -> list[UploadedStudy]:
    """Return the studies of an upload that the actor may see, with what became of their files."""
    counts: dict[str, dict[str, int]] = {}
    rows = upload.files.exclude(study_instance_uid="").values("study_instance_uid", "outcome")
    for row in rows.annotate(n=Count("pk")):
        counts.setdefault(row["study_instance_uid"], {})[row["outcome"]] = row["n"]
    studies = (
        studies_visible_to(actor)
        .filter(study_instance_uid__in=list(counts))
        .select_related("patient__survivor", "site")
        .order_by("received_patient_name", "study_date", "pk")[:SHOWN_STUDIES]
    )
    found = {study.pk: UploadedStudy(study, counts[study.study_instance_uid]) for study in studies}
    matched = StudyMatch.objects.filter(study__in=list(found))
    for pk in matched.values_list("study_id", flat=True):
        found[pk].matched = True
    items = StudyAttention.objects.filter(
        study__in=list(found), kind__in=[UNMATCHED, CONFLICT], resolved_at=None
    )
    for item in items:
        found[item.study_id or 0].attention = item
    return list(found.values())


def upload_reasons(upload: Upload) -> list[Reason]:
    """Return what was not taken or not needed, by outcome and reason, the most first."""
    rows = upload.files.filter(
        outcome__in=[FileOutcome.LEFT, FileOutcome.REFUSED, FileOutcome.QUARANTINED]
    )
    groups = rows.values("outcome", "reason").annotate(n=Count("pk")).order_by("-n")
    return [
        Reason(
            group["outcome"],
            group["reason"],
            group["n"],
            _paths(rows.filter(outcome=group["outcome"], reason=group["reason"])),
        )
        for group in groups[:SHOWN_REASONS]
    ]


def _paths(rows: QuerySet[UploadedFile]) -> list[str]:
    return list(rows.order_by("path").values_list("path", flat=True)[:SHOWN_REASONS])
