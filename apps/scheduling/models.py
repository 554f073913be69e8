from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from apps.accounts.models import Site
from apps.orders.models import RequestedProcedure
from apps.scheduling.domain import APPOINTMENT, AWAITED, HOLDS_SLOT, SCHEDULED_STEP


class Room(models.Model):
    """A bookable room with its scanner."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rooms")
    code = models.CharField(max_length=16)
    name = models.CharField(max_length=64)
    modality = models.CharField(max_length=16)
    scheduled_station_ae_title = models.CharField(max_length=16)
    description = models.CharField(
        max_length=40, blank=True, help_text="what tells it from its like: 1.5 T, wide bore"
    )
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="room_once")]

    def __str__(self) -> str:
        return self.name


class OpeningHours(models.Model):
    """When a room is open, in the wall time of its site."""

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(help_text="0 is Monday")
    opens = models.TimeField()
    closes = models.TimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="opens_before_it_closes", condition=models.Q(opens__lt=models.F("closes"))
            ),
            models.CheckConstraint(name="weekday_known", condition=models.Q(weekday__lte=6)),
        ]

    def __str__(self) -> str:
        return f"{self.room} {self.weekday} {self.opens:%H:%M}-{self.closes:%H:%M}"


class Appointment(models.Model):
    """A room held for a time. The database refuses two in one room at once."""

    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="appointments")
    period = DateTimeRangeField(help_text="half open, UTC")
    status = models.CharField(max_length=16, choices=APPOINTMENT.choices(), default="booked")
    booked_by = models.CharField(max_length=100)
    booked_at = models.DateTimeField()
    previous_room = models.ForeignKey(
        Room, null=True, on_delete=models.PROTECT, related_name="+", help_text="before a move"
    )
    previous_period = DateTimeRangeField(null=True, help_text="before a move; its undo goes back")
    arrived_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)
    cancel_reason = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            APPOINTMENT.constraint(),
            ExclusionConstraint(
                name="no_double_booking",
                expressions=[("period", RangeOperators.OVERLAPS), ("room", RangeOperators.EQUAL)],
                condition=models.Q(status__in=HOLDS_SLOT),
            ),
        ]
        triggers = [APPOINTMENT.trigger()]

    def __str__(self) -> str:
        return f"{self.room} {self.period.lower:%F %H:%M}"


class ScheduledStep(models.Model):
    """A scheduled procedure step (PS3.3 C.4.10). No appointment: a walk-in."""

    requested_procedure = models.ForeignKey(
        RequestedProcedure, on_delete=models.PROTECT, related_name="scheduled_steps"
    )
    appointment = models.ForeignKey(
        Appointment, null=True, blank=True, on_delete=models.PROTECT, related_name="scheduled_steps"
    )
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=16, choices=SCHEDULED_STEP.choices(), default="SCHEDULED")
    status_source = models.CharField(
        max_length=8, blank=True, help_text="what moved it last: person, mpps, images, order"
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    discontinuation_reason = models.CharField(max_length=100, blank=True)
    scheduled_procedure_step_id = models.CharField(max_length=16, unique=True)
    modality = models.CharField(max_length=16)
    scheduled_station_ae_title = models.CharField(max_length=16)
    scheduled_station_name = models.CharField(max_length=16, blank=True)
    start_at = models.DateTimeField()
    start_date = models.DateField(help_text="(0040,0002), wall date of the site")
    start_time = models.TimeField(help_text="(0040,0003), wall time of the site")
    performing_physician_name = models.CharField(max_length=324, blank=True)
    description = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [SCHEDULED_STEP.constraint()]
        indexes = [
            models.Index(
                fields=["scheduled_station_ae_title", "start_date", "start_time"],
                name="step_by_station",
            ),
            models.Index(fields=["start_date", "modality"], name="step_by_date"),
            models.Index(
                fields=["site"], condition=models.Q(status="STARTED"), name="step_started"
            ),
            models.Index(
                fields=["site", "start_at"],
                condition=models.Q(status__in=AWAITED),
                name="step_awaited",
            ),
        ]
        triggers = [SCHEDULED_STEP.trigger()]

    def __str__(self) -> str:
        return self.scheduled_procedure_step_id
