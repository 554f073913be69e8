"""Filling the index with synthetic exams: from today backwards, a chunk of days at a time.

Each chunk is one transaction that ends with its audit event, and that event says where the next
one goes on: a load that was stopped is resumed by asking again, and a larger number adds older
exams to what is there. The same seed and moment give the same people, exams and UIDs.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import takewhile

from django.conf import settings
from django.db import connection, transaction

from apps.audit.models import AuditEvent
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError
from apps.demo import audit_events
from apps.demo.synthetic.days import Visit, day_visits
from apps.demo.synthetic.hospital import Hospital, write_hospital
from apps.demo.synthetic.rows import DONE, SOURCE, Writer
from apps.orders.models import Order
from apps.studies.models import Study

DAYS_COMING = 28
CHUNK = 10_000
SEED = 2026


class RealDataError(ConflictError):
    """A production installation holds exams of its own."""

    code = "demo.real-data"
    message = (
        "This is a production installation with exams of its own. Synthetic ones among them need "
        "--beside-real-data, and cannot be taken out again."
    )


class OtherSeedError(ConflictError):
    """Exams of another seed are here; their numbers would collide."""

    code = "demo.other-seed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the load is.

    Attributes:
        seed: of people and exams.
        at: the synthetic hospital's now, as ISO text: what lies after it is only booked.
        day: the next day to write, counted from that of `at`; the past is negative.
        studies: studies so far.
        visits: visits so far; accession numbers and UIDs count them.
    """

    seed: int
    at: str
    day: int = DAYS_COMING
    studies: int = 0
    visits: int = 0


def progress_of_load() -> Progress | None:
    """Return how far the last load came, or None where there was none: the audit trail says so."""
    events = AuditEvent.objects.filter(event=audit_events.SYNTHETIC_LOADED).order_by("-pk")
    last = events.values_list("details", flat=True).first()
    return Progress(**last) if last else None


def synthetic_load(
    *,
    actor: Actor,
    studies: int,
    at: dt.datetime,
    seed: int = SEED,
    beside_real_data: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Load until the index holds so many synthetic studies.

    Several transactions, a chunk each, audited. About 300,000 studies make a year.

    Args:
        actor: the system.
        studies: how many there are to be, those of earlier loads included.
        at: now; a load that goes on keeps the moment it began with.
        seed: of people and exams.
        beside_real_data: load into a production installation that has exams of its own too.
        tell: is given the progress after each chunk.

    Raises:
        RealDataError: a production installation with exams of its own.
        OtherSeedError: what was loaded before has another seed.
    """
    if settings.PRODUCTION and not beside_real_data and _has_real_data():
        raise RealDataError
    began = at.astimezone(dt.UTC).replace(second=0, microsecond=0)
    progress = progress_of_load() or Progress(seed, began.isoformat())
    if progress.seed != seed:
        message = f"Synthetic exams of seed {progress.seed} are here; go on with that one."
        raise OtherSeedError(message)
    with transaction.atomic(durable=True):
        hospital = write_hospital()
    while progress.studies < studies:
        progress = _chunk(actor, hospital, progress, studies)
        tell(progress)
    _look_over()
    return progress


def _has_real_data() -> bool:
    others = Study.objects.exclude(source=SOURCE).exists()
    return others or Order.objects.exclude(accession_number__startswith="SYN").exists()


@transaction.atomic(durable=True)
def _chunk(actor: Actor, hospital: Hospital, progress: Progress, target: int) -> Progress:
    at = dt.datetime.fromisoformat(progress.at)
    writer = Writer(seed=progress.seed, hospital=hospital, at=at, first=progress.visits)
    wanted = min(target, progress.studies + CHUNK)
    while progress.studies < wanted:
        rng = random.Random(f"{progress.seed}/{progress.day}")
        day = at.date() + dt.timedelta(days=progress.day)
        visits = day_visits(rng, day, hospital.rooms, at)
        if progress.day <= 0:
            visits = list(_until(visits, target - progress.studies))
        made = writer.add(rng, visits)
        progress = replace(
            progress,
            day=progress.day - 1,
            studies=progress.studies + made,
            visits=writer.number,
        )
    _trust_keys()
    writer.flush()
    record(
        actor=actor,
        event=audit_events.SYNTHETIC_LOADED,
        door="task",
        key="synthetic",
        **asdict(progress),
    )
    return progress


def _until(visits: list[Visit], room: int) -> Iterator[Visit]:
    """Give a day's visits until so many of them have made a study."""
    made = 0

    def fits(visit: Visit) -> bool:
        nonlocal made
        made += visit.state in DONE
        return made <= room

    return takewhile(fits, visits)


def _trust_keys() -> None:
    """Leave out the look-up behind every foreign key, where this database user may.

    The writer made both ends of each in this transaction. It halves the time (measured: 1.5 s
    against 0.75 s for a thousand studies, indexes kept).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_parameter_privilege('session_replication_role', 'SET')"
            " AND set_config('session_replication_role', 'replica', true) = 'replica'"
        )


def _look_over() -> None:
    """Let the planner know the new rows, and index-only scans which pages all may see.

    Outside a transaction; where the database user does not own the tables, autovacuum will do it.
    """
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
