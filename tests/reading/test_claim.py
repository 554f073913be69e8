"""Claim, heartbeat, release, hand-off, next: no two readers on one study."""

import datetime
import threading

import pytest
from django.db import connection

from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
)
from apps.worklists.models import ReadingItem
from apps.worklists.reading import services
from apps.worklists.reading.domain import CLAIM_LASTS, ReadingFilters
from apps.worklists.reading.selectors import reading_list
from apps.worklists.reading.services import NothingToReadError, NotYoursError
from apps.worklists.reading.steps import AlreadyReadError, ClaimedByOtherError

AT = datetime.datetime(2026, 11, 24, 9, 0, tzinfo=datetime.UTC)
LATER = AT + CLAIM_LASTS + datetime.timedelta(seconds=1)


def events(name: str) -> int:
    return AuditEvent.objects.filter(event=f"worklists.reading.{name}").count()


def test_claim_is_exclusive_and_repeatable(room):
    item = room.item()
    falk, osei = room.actor(room.falk), room.actor(room.osei)
    services.reading_claim(actor=falk, item_id=item.pk, at=AT)
    services.reading_claim(actor=falk, item_id=item.pk, at=AT)
    with pytest.raises(ClaimedByOtherError, match="Falk, R has been reading this since 09:00"):
        services.reading_claim(actor=osei, item_id=item.pk, at=AT)
    item.refresh_from_db()
    assert item.claimed_by == room.falk
    assert events("claimed") == 1


def test_silent_claim_lapses_and_a_heartbeat_keeps_it(room):
    item = room.item()
    falk, osei = room.actor(room.falk), room.actor(room.osei)
    services.reading_claim(actor=falk, item_id=item.pk, at=AT)
    half = AT + CLAIM_LASTS / 2
    assert services.reading_heartbeat(actor=falk, item_id=item.pk, at=half)
    with pytest.raises(ClaimedByOtherError):
        services.reading_claim(actor=osei, item_id=item.pk, at=LATER)
    services.reading_claim(actor=osei, item_id=item.pk, at=half + CLAIM_LASTS)
    assert not services.reading_heartbeat(actor=falk, item_id=item.pk, at=LATER)
    taken = AuditEvent.objects.filter(event="worklists.reading.claimed").latest("pk")
    assert taken.details["lapsed"] == room.falk.pk


def test_two_exams_in_one_study_have_one_reader(room):
    first = room.exam(exams=2)
    second = first.order.requested_procedures.get(number=2)
    room.study(first, second)
    one, two = ReadingItem.objects.order_by("pk")
    services.reading_claim(actor=room.actor(room.falk), item_id=one.pk, at=AT)
    with pytest.raises(ClaimedByOtherError):
        services.reading_claim(actor=room.actor(room.osei), item_id=two.pk, at=AT)
    services.reading_release(actor=room.actor(room.falk), item_id=two.pk, at=AT)
    assert not ReadingItem.objects.exclude(claimed_by=None).exists()


def test_only_the_reader_gives_back(room):
    item = room.item()
    services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=AT)
    with pytest.raises(NotYoursError):
        services.reading_release(actor=room.actor(room.osei), item_id=item.pk, at=AT)
    services.reading_release(actor=room.actor(room.falk), item_id=item.pk, at=AT)
    services.reading_release(actor=room.actor(room.falk), item_id=item.pk, at=AT)
    assert events("released") == 1


def test_forced_release_needs_the_right_and_a_reason_and_is_audited(room):
    item = room.item()
    admin = room.actor(room.admin)
    with pytest.raises(ConflictError):
        services.reading_force_release(actor=admin, item_id=item.pk, reason="x", at=AT)
    services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=AT)
    with pytest.raises(NotPermittedError):
        services.reading_force_release(
            actor=room.actor(room.osei), item_id=item.pk, reason="mine", at=AT
        )
    with pytest.raises(InvalidInputError):
        services.reading_force_release(actor=admin, item_id=item.pk, reason="  ", at=AT)
    services.reading_force_release(actor=admin, item_id=item.pk, reason="Went home ill", at=AT)
    event = AuditEvent.objects.get(event="worklists.reading.force-released")
    assert event.details["reason"] == "Went home ill"
    assert event.details["reader"] == room.falk.pk
    assert event.patient_key == str(item.patient_id)


def test_handed_exam_waits_for_its_reader(room):
    item, other = room.item(), room.item(priority="stat")
    falk, osei = room.actor(room.falk), room.actor(room.osei)
    services.reading_hand_off(actor=falk, item_id=item.pk, to_user_id=room.osei.pk, at=AT)
    (mine,) = reading_list(osei, ReadingFilters(show="mine")).items
    assert (mine.pk, mine.handed_by, mine.claimed_by) == (item.pk, room.falk, None)
    assert services.reading_next(actor=falk, at=AT).pk == other.pk
    assert services.reading_next(actor=osei, at=AT).pk == item.pk
    with pytest.raises(NotFoundError):
        services.reading_hand_off(
            actor=falk, item_id=other.pk, to_user_id=room.north_reader.pk, at=AT
        )


def test_next_is_the_most_urgent_that_nobody_has(room):
    routine, stat, urgent = (room.item(priority=p) for p in ("routine", "stat", "urgent"))
    falk, osei = room.actor(room.falk), room.actor(room.osei)
    assert services.reading_next(actor=falk, at=AT).pk == stat.pk
    assert services.reading_next(actor=osei, at=AT).pk == urgent.pk
    assert services.reading_next(actor=falk, at=AT).pk == routine.pk
    with pytest.raises(NothingToReadError):
        services.reading_next(actor=falk, at=AT)
    with pytest.raises(NotPermittedError):
        services.reading_next(actor=room.actor(room.technologist), at=AT)


@pytest.mark.parametrize("who", ["north_reader", "technologist", "hart"])
def test_hidden_exam_is_not_found(room, who):
    item = room.item()
    with pytest.raises(NotFoundError):
        services.reading_claim(actor=room.actor(getattr(room, who)), item_id=item.pk, at=AT)


def test_read_exam_is_not_claimed(room):
    item = room.item()
    ReadingItem.objects.update(state="done")
    with pytest.raises(AlreadyReadError):
        services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=AT)


def run_at_once(*calls):
    """Run calls in threads that start together; return what each gave or raised."""
    gate, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        try:
            gate.wait(10)
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_race_for_one_exam_has_one_winner(committed_room):
    room = committed_room
    item = room.item()
    actors = [room.actor(u) for u in (room.falk, room.osei, room.admin) for _ in range(3)]
    results = run_at_once(
        *(lambda a=a: services.reading_claim(actor=a, item_id=item.pk, at=AT) for a in actors)
    )
    item.refresh_from_db()
    won = [a for a, r in zip(actors, results, strict=True) if isinstance(r, ReadingItem)]
    assert {a.user_id for a in won} == {item.claimed_by_id}
    assert sum(isinstance(r, ClaimedByOtherError) for r in results) == 6
    assert events("claimed") == 1


def test_twin_without_the_lock_has_two_winners(committed_room):
    """The race is real: looking and writing without the row lock lets both believe they won."""
    room = committed_room
    item = room.item()
    looked = threading.Barrier(2)

    def claim(user):
        row = ReadingItem.objects.get(pk=item.pk)
        free = row.claimed_by_id is None
        looked.wait(10)
        if free:
            row.claimed_by = user
            row.save()
        return free

    assert run_at_once(lambda: claim(room.falk), lambda: claim(room.osei)) == [True, True]


def test_race_for_next_gives_each_another_exam(committed_room):
    room = committed_room
    for _ in range(4):
        room.item()
    actors = [room.actor(u) for u in (room.falk, room.osei) for _ in range(2)]
    results = run_at_once(*(lambda a=a: services.reading_next(actor=a, at=AT) for a in actors))
    assert len({item.pk for item in results}) == 4


def test_claim_is_fresh_against_the_real_clock(room):
    item = room.item()
    services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=clock.now())
    with pytest.raises(ClaimedByOtherError):
        services.reading_claim(actor=room.actor(room.osei), item_id=item.pk, at=clock.now())
