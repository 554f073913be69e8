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
    verified_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "key"], name="location_once")]

    def __str__(self) -> str:
        return f"{self.storage}:{self.key}"
