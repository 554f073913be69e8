from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from apps.accounts.models import AttentionItem, ProtectedModel, Site, User
from apps.archive.models import StoredObject
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.domain import (
    Availability,
    ClaimKind,
    Completeness,
    Difference,
    FileOutcome,
    IntakeAction,
    MatchReason,
    QuarantineState,
)


class Study(ProtectedModel):
    """One study of the index. Carries what queries need, as it was received.

    Dates and times stay the texts they came as (DA, TM), beside what can be compared.
    """

    study_instance_uid = models.CharField(max_length=64, unique=True)
    patient = models.ForeignKey(
        Patient,
        on_delete=models.PROTECT,
        related_name="studies",
        db_index=False,  # study_by_patient serves
    )
    patient_version = models.PositiveIntegerField(
        default=1, help_text="of the patient when the study was filed; identity goes out anew after"
    )
    requested_procedures = models.ManyToManyField(
        RequestedProcedure, through="StudyMatch", related_name="studies"
    )
    study_date = models.CharField(max_length=8, blank=True, help_text="DA")
    study_time = models.CharField(max_length=16, blank=True, help_text="TM")
    timezone_offset = models.CharField(max_length=16, blank=True, help_text="(0008,0201)")
    accession_number = models.CharField(max_length=16, blank=True)
    issuer_of_accession_number = models.CharField(max_length=64, blank=True)
    study_id = models.CharField(max_length=16, blank=True)
    study_description = models.CharField(max_length=64, blank=True)
    referring_physician_name = models.CharField(max_length=1000, blank=True)
    modalities_in_study = ArrayField(models.CharField(max_length=16), default=list)
    sop_classes_in_study = ArrayField(models.CharField(max_length=64), default=list)
    number_of_series = models.PositiveIntegerField(default=0)
    number_of_instances = models.PositiveIntegerField(default=0)
    body_part = models.CharField(max_length=16, blank=True)
    received_patient_id = models.CharField(max_length=64, blank=True)
    received_issuer_of_patient_id = models.CharField(max_length=64, blank=True)
    received_patient_name = models.CharField(max_length=1000, blank=True)
    received_patient_birth_date = models.CharField(max_length=8, blank=True)
    received_patient_sex = models.CharField(max_length=16, blank=True)
    character_set = models.CharField(max_length=200, blank=True, help_text="(0008,0005)")
    completeness = models.CharField(
        max_length=16, choices=[(c.value, c.value) for c in Completeness], default="RECEIVING"
    )
    completeness_evidence = models.CharField(max_length=200, blank=True)
    judged_at = models.DateTimeField(null=True, help_text="when completeness was")
    completed_at = models.DateTimeField(null=True, help_text="when first complete")
    availability = models.CharField(
        max_length=16, choices=[(a.value, a.value) for a in Availability], default="ONLINE"
    )
    source = models.CharField(max_length=100, blank=True, help_text="who sent the first instance")
    first_received_at = models.DateTimeField(null=True)
    last_received_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "studies"
        indexes = [
            # Each holds all that choosing a page needs: what is passed over is never read.
            models.Index(
                fields=["patient", "study_date", "study_time", "id"],
                include=["site", "confidentiality"],
                name="study_by_patient",
            ),
            models.Index(
                fields=["study_date", "study_time", "id"],
                include=["patient", "site", "confidentiality"],
                name="study_by_date",
            ),
            models.Index(fields=["accession_number"], name="study_by_accession"),
            models.Index(fields=["received_patient_id"], name="study_by_received_id"),
            GinIndex(fields=["modalities_in_study"], name="study_by_modality"),
            # By a key that never changes: what is filed updates the study without its indexes.
            models.Index(
                fields=["id"], condition=models.Q(completeness="RECEIVING"), name="study_receiving"
            ),
        ]

    def __str__(self) -> str:
        return self.study_instance_uid


class Series(models.Model):
    """One series of the index."""

    study = models.ForeignKey(
        Study, on_delete=models.PROTECT, related_name="series", db_index=False
    )
    series_instance_uid = models.CharField(max_length=64)
    modality = models.CharField(max_length=16, blank=True)
    series_number = models.CharField(max_length=12, blank=True, help_text="IS")
    series_description = models.CharField(max_length=64, blank=True)
    series_date = models.CharField(max_length=8, blank=True)
    series_time = models.CharField(max_length=16, blank=True)
    body_part_examined = models.CharField(max_length=16, blank=True)
    laterality = models.CharField(max_length=1, blank=True)
    station_name = models.CharField(max_length=16, blank=True)
    manufacturer = models.CharField(max_length=64, blank=True)
    performed_step_uid = models.CharField(
        max_length=64, blank=True, help_text="(0008,1111)>(0008,1155)"
    )
    performed_start_date = models.CharField(max_length=8, blank=True)
    performed_start_time = models.CharField(max_length=16, blank=True)
    scheduled_procedure_step_id = models.CharField(max_length=16, blank=True)
    requested_procedure_id = models.CharField(max_length=16, blank=True)
    number_of_instances = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(fields=["study", "series_instance_uid"], name="series_once")
        ]
        indexes = [models.Index(fields=["series_instance_uid"], name="series_by_uid")]

    def __str__(self) -> str:
        return self.series_instance_uid


class Instance(models.Model):
    """The current version of one SOP instance."""

    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, related_name="instances", db_index=False
    )
    sop_instance_uid = models.CharField(max_length=64)
    sop_class_uid = models.CharField(max_length=64)
    instance_number = models.CharField(max_length=12, blank=True, help_text="IS")
    stored_object = models.OneToOneField(StoredObject, on_delete=models.PROTECT, related_name="+")
    rows = models.PositiveIntegerField(null=True)
    columns = models.PositiveIntegerField(null=True)
    bits_allocated = models.PositiveSmallIntegerField(null=True)
    number_of_frames = models.PositiveIntegerField(null=True)
    pixel_offset = models.BigIntegerField(null=True, help_text="of native pixel data in the file")
    pixel_length = models.BigIntegerField(null=True)
    content_date = models.CharField(max_length=8, blank=True)
    content_time = models.CharField(max_length=16, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sop_instance_uid"], name="instance_once"),
        ]
        indexes = [models.Index(fields=["series", "id"], name="instance_by_series")]

    def __str__(self) -> str:
        return self.sop_instance_uid


class InstanceVersion(models.Model):
    """Another data set under the same SOP Instance UID: kept, not served.

    It came later, or it was current until a person chose another. In what it differs from the
    current one is found out beside the ingest.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="versions")
    stored_object = models.OneToOneField(StoredObject, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=100)
    received_at = models.DateTimeField()
    current_source = models.CharField(
        max_length=100, blank=True, help_text="who sent what was chosen in place of this"
    )
    difference = models.CharField(
        max_length=16, blank=True, choices=[(d.value, d.value) for d in Difference]
    )
    difference_words = models.CharField(max_length=300, blank=True)
    differing_frame = models.PositiveIntegerField(null=True, help_text="the first, from 1")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="to compare it")
    compared_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(compared_at=None), name="version_to_compare"
            )
        ]

    def __str__(self) -> str:
        return f"{self.instance} at {self.received_at:%F %T}"


class StudyClaim(models.Model):
    """What somebody says a study consists of: the evidence by which its completeness is judged.

    A scanner may speak before the first image of the study is here, so the UID is a plain key.
    """

    study_instance_uid = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in ClaimKind])
    reference = models.CharField(max_length=100, help_text="UID of the step, or who and which")
    source = models.CharField(max_length=100, help_text="for a person")
    ended = models.BooleanField(help_text="whether more may be named")
    sop_instance_uids = ArrayField(models.CharField(max_length=64), default=list)
    said_at = models.DateTimeField(help_text="a step in progress: when it began")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study_instance_uid", "kind", "reference"], name="study_claim_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} of {self.study_instance_uid}: {len(self.sop_instance_uids)}"


class StudyMatch(models.Model):
    """A study joined to a requested procedure, with the reason."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="matches")
    requested_procedure = models.ForeignKey(
        RequestedProcedure, on_delete=models.PROTECT, related_name="matches"
    )
    score = models.PositiveSmallIntegerField(help_text="0 to 100")
    reason = models.CharField(max_length=24, choices=[(r.value, r.value) for r in MatchReason])
    evidence = models.CharField(max_length=300, blank=True)
    matched_by = models.CharField(max_length=100)
    matched_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "requested_procedure"], name="study_match_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.study_id} for {self.requested_procedure_id} by {self.reason}"


class SeriesMetadata(models.Model):
    """A series' DICOM JSON, built once per (series version, patient version).

    `body` is the JSON array of its instances, compressed with zlib as a gzip member; the server's
    address is a fixed token in it, replaced on output.
    """

    series = models.OneToOneField(
        Series, on_delete=models.CASCADE, primary_key=True, related_name="metadata"
    )
    series_version = models.PositiveIntegerField()
    patient_version = models.PositiveIntegerField()
    body = models.BinaryField()
    built_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.series_id} v{self.series_version}"


class StudyAttention(AttentionItem):
    """Studies' own breaks, from `unmatched` to `incomplete`; `kind` says which."""

    study = models.ForeignKey(Study, null=True, on_delete=models.PROTECT, related_name="attention")


class IntakeRule(models.Model):
    """What becomes of objects with defects from one source; `*` is every source without a rule."""

    source = models.CharField(max_length=100, unique=True, help_text="ae:CT_1, user:12, or *")
    action = models.CharField(max_length=16, choices=[(a.value, a.value) for a in IntakeAction])
    probe_pixels = models.BooleanField(
        default=False, help_text="decode the first frame of every object before it is taken"
    )
    changed_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.source}: {self.action}"


class QuarantinedObject(models.Model):
    """An object that came and is kept outside the index until a person decides.

    What is known of it is what could be read; any of it may be empty. The stored object goes when
    what was decided can no longer be taken back.
    """

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    stored_object = models.OneToOneField(
        StoredObject, null=True, on_delete=models.PROTECT, related_name="+"
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 of the data set, hexadecimal")
    size_bytes = models.BigIntegerField(help_text="of the whole file")
    transfer_syntax_uid = models.CharField(max_length=64, blank=True)
    sop_class_uid = models.CharField(max_length=64, blank=True)
    sop_instance_uid = models.CharField(max_length=64, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    patient_id = models.CharField(max_length=64, blank=True)
    patient_name = models.CharField(max_length=1000, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    study_date = models.CharField(max_length=8, blank=True, help_text="DA")
    study_description = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=100, help_text="who sent it, for a person")
    source_key = models.CharField(max_length=100, help_text="ae:CT_1, user:12")
    address = models.CharField(max_length=64, blank=True)
    door = models.CharField(max_length=16)
    findings = models.JSONField(default=list, help_text="[{code, detail}]")
    unservable = models.BooleanField(default=False, help_text="it could not be filed as it is")
    times_sent = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField()
    last_received_at = models.DateTimeField()
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in QuarantineState], default="held"
    )
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source_key", "sop_instance_uid", "digest"],
                condition=models.Q(state="held"),
                name="quarantined_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["site", "received_at"],
                condition=models.Q(state="held"),
                name="quarantine_held",
            ),
            models.Index(
                fields=["sop_instance_uid"],
                condition=models.Q(state="held"),
                name="quarantine_held_by_uid",
            ),
            models.Index(fields=["state", "decided_at"], name="quarantine_decided"),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid or self.digest[:12]


class Upload(models.Model):
    """What one person brings through the browser at one time: files, folders, ZIPs."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=64, blank=True)
    begun_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="when something of it last came")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["last_at"], condition=models.Q(ended_at=None), name="upload_open")
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"


class UploadedFile(models.Model):
    """One file of an upload, or of a ZIP in it. Without an outcome it is still coming or waits."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="files")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="entries")
    path = models.CharField(max_length=1000, help_text="as the browser named it")
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of the data set, of the whole file where it is no DICOM"
    )
    size_bytes = models.BigIntegerField(default=0)
    received_bytes = models.BigIntegerField(default=0)
    begun_at = models.DateTimeField(null=True, help_text="when its first piece came")
    taken_up_at = models.DateTimeField(null=True, help_text="when a worker last went on with it")
    outcome = models.CharField(
        max_length=16, choices=[(o.value, o.value) for o in FileOutcome], blank=True
    )
    reason = models.CharField(max_length=300, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    sop_instance_uid = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "path", "digest"], name="uploaded_file_once")
        ]
        indexes = [
            models.Index(
                fields=["begun_at"], condition=models.Q(outcome=""), name="uploaded_file_open"
            )
        ]

    def __str__(self) -> str:
        return self.path


class UploadPiece(models.Model):
    """A run of bytes of a file that is still coming, on the archive's storage."""

    file = models.ForeignKey(UploadedFile, on_delete=models.CASCADE, related_name="pieces")
    offset = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    storage = models.CharField(max_length=64)
    key = models.CharField(max_length=200)

    class Meta:
        ordering = ["offset"]
        constraints = [models.UniqueConstraint(fields=["file", "offset"], name="upload_piece_once")]

    def __str__(self) -> str:
        return f"{self.file_id} from {self.offset}"
