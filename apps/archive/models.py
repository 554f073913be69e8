from django.db import models


class StoredObject(models.Model):
    """Bytes that we keep exactly as they came. Knows no study.

    The file is a DICOM Part 10 file: preamble and group 2 of our making, then the data set as it
    came over the wire. `digest` covers the data set only, so that the same object by another door
    has the same digest.
    """

    digest = models.CharField(max_length=64, help_text="SHA-256 of the data set, hexadecimal")
    size_bytes = models.BigIntegerField(help_text="of the whole file")
    dataset_offset = models.PositiveIntegerField(help_text="where the data set begins in the file")
    transfer_syntax_uid = models.CharField(max_length=64)
    tier = models.CharField(max_length=16, default="ONLINE", help_text="(0008,0056)")
    keep_until = models.DateField(null=True)
    stored_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest[:12]


class Location(models.Model):
    """Where one copy of a stored object lies."""

    class Status(models.TextChoices):
        """What is known of the copy."""

        AVAILABLE = "available"
        MISSING = "missing"
        CORRUPT = "corrupt"
        REMOVED = "removed"

    stored_object = models.ForeignKey(
        StoredObject, on_delete=models.PROTECT, related_name="locations"
    )
    storage = models.CharField(max_length=32, default="default")
    key = models.CharField(max_length=200, help_text="path under the storage's root")
    offset_bytes = models.BigIntegerField(default=0)
    cipher = models.CharField(
        max_length=32, blank=True, help_text="chunked authenticated encryption, when on"
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.AVAILABLE)
    problem = models.CharField(
        max_length=16, blank=True, help_text="what a verification found, in a word"
    )
    verified_at = models.DateTimeField(null=True, help_text="when it was last read and found good")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "key"], name="location_once")]
        indexes = [
            models.Index(
                fields=["storage", "id"],
                condition=models.Q(status__in=["missing", "corrupt"]),
                name="location_damaged",
            )
        ]

    def __str__(self) -> str:
        return f"{self.storage}:{self.key}"


class VerificationPass(models.Model):
    """One reading of every copy in a storage, from the first to the last, by small runs.

    `cursor` is the last location looked at: a run that is cut off goes on from there.
    """

    storage = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    cursor = models.BigIntegerField(default=0)
    last_location = models.BigIntegerField(help_text="the newest when the pass began; its end")
    copies = models.BigIntegerField(default=0, help_text="read so far")
    bytes_read = models.BigIntegerField(default=0)
    busy_seconds = models.FloatField(default=0)
    missing = models.PositiveIntegerField(default=0)
    truncated = models.PositiveIntegerField(default=0)
    altered = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)
    repaired = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "verification passes"
        constraints = [
            models.UniqueConstraint(
                fields=["storage"],
                condition=models.Q(finished_at=None),
                name="verification_pass_one_open",
            )
        ]
        indexes = [models.Index(fields=["storage", "-started_at"], name="verification_pass_last")]

    def __str__(self) -> str:
        return f"{self.storage} from {self.started_at:%F %T}"

    @property
    def damaged(self) -> int:
        """How many copies it found damaged."""
        return self.missing + self.truncated + self.altered + self.unreadable

    @property
    def bytes_per_second(self) -> float:
        """Its rate while it read."""
        return self.bytes_read / self.busy_seconds if self.busy_seconds else 0.0


class CopyCursor(models.Model):
    """How far a storage that keeps a copy of everything has come."""

    storage = models.CharField(max_length=32, primary_key=True)
    last_object = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.storage} to {self.last_object}"


class CopyCount(models.Model):
    """How many copies a storage holds in one state, as counted now and then.

    A page cannot count tens of millions of rows; how long it took says when it may be done again.
    """

    storage = models.CharField(max_length=32)
    status = models.CharField(max_length=16, choices=Location.Status.choices)
    copies = models.BigIntegerField()
    objects_held = models.BigIntegerField(help_text="each once, however many copies of it")
    bytes_held = models.BigIntegerField()
    never_read = models.BigIntegerField(help_text="not read again since they were written")
    oldest_unread_at = models.DateTimeField(null=True, help_text="stored, and never read again")
    oldest_read_at = models.DateTimeField(null=True, help_text="read longest ago")
    counted_at = models.DateTimeField()
    took_seconds = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["storage", "status"], name="copy_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.copies} {self.status} in {self.storage}"
