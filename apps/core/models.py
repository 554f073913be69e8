import pgtrigger
from django.db import models


class OutboxEvent(models.Model):
    """What happened, written in the transaction in which it happened."""

    name = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=100)
    payload = models.JSONField()
    published_at = models.DateTimeField()

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.name} {self.aggregate}"


class OutboxDelivery(models.Model):
    """One event's way to one subscriber; the relay deletes nothing, it marks."""

    event = models.ForeignKey(OutboxEvent, on_delete=models.PROTECT, related_name="deliveries")
    subscriber = models.CharField(max_length=200)
    aggregate = models.CharField(max_length=100)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "subscriber"], name="outbox_delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["subscriber", "aggregate", "id"],
                name="outbox_delivery_waiting",
                condition=models.Q(done_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.subscriber}"
