from django.db import models

from apps.accounts.models import AttentionItem, Hl7Peer


class Hl7Message(models.Model):
    """One message as it came in, kept before anything is made of it.

    Of several receptions of one message (same sender, same MSH-10, same bytes) the first that was
    accepted has the effect; the others repeat its acknowledgement.
    """

    class Outcome(models.TextChoices):
        """MSA-1 (table 0008); empty while it is being worked on or was cut short."""

        PENDING = ""
        ACCEPTED = "AA"
        ERROR = "AE"
        REJECTED = "AR"

    received_at = models.DateTimeField()
    address = models.CharField(max_length=100, help_text="network address it came from")
    raw = models.BinaryField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of raw")
    peer = models.ForeignKey(
        Hl7Peer, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages"
    )
    sending_application = models.CharField(max_length=180, blank=True, help_text="MSH-3")
    sending_facility = models.CharField(max_length=180, blank=True, help_text="MSH-4")
    message_type = models.CharField(max_length=20, blank=True, help_text="MSH-9, as ADT^A04")
    control_id = models.CharField(max_length=199, blank=True, help_text="MSH-10")
    version = models.CharField(max_length=12, blank=True, help_text="MSH-12")
    charset = models.CharField(max_length=40, blank=True, help_text="by which it was read")
    outcome = models.CharField(
        max_length=2, choices=Outcome.choices, default=Outcome.PENDING, blank=True
    )
    repeat_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="repeats"
    )
    reason = models.CharField(max_length=500, blank=True)
    acknowledgement = models.BinaryField(default=bytes)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    effects = models.JSONField(default=list, help_text="what it made or changed, as patient:12")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sending_application", "sending_facility", "control_id"],
                condition=models.Q(outcome="AA", repeat_of=None),
                name="hl7_message_effect_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["sending_application", "sending_facility", "control_id"],
                name="hl7_message_by_control_id",
            ),
            models.Index(fields=["received_at"], name="hl7_message_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.message_type} {self.control_id} {self.outcome or 'pending'}"


class Hl7Attention(AttentionItem):
    """HL7's own breaks: `message-refused`, of a known sender."""

    message = models.ForeignKey(
        Hl7Message, null=True, on_delete=models.PROTECT, related_name="attention"
    )
