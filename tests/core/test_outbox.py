"""The outbox: written with the change, delivered after it, in order, until it is dead."""

import threading

import pytest
from django.db import connection, transaction

from apps.core import clock, events
from apps.core.models import OutboxDelivery, OutboxEvent
from apps.core.steps import publish
from apps.core.tasks import MAX_ATTEMPTS, relay_once

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "core.test.happened"


@pytest.fixture
def heard(monkeypatch):
    """Subscribe a listener of this test; `heard.failing` makes it fail."""

    class Listener:
        def __init__(self) -> None:
            self.payloads: list[int] = []
            self.failing = False

        def __call__(self, event: events.Event) -> None:
            if self.failing:
                message = "not today"
                raise ValueError(message)
            self.payloads.append(event.payload["n"])

    listener = Listener()
    monkeypatch.setitem(events._subscribers, NAME, {"test.listener": listener})
    return listener


def tell(n: int, aggregate: str = "thing:1") -> None:
    with transaction.atomic():
        publish(name=NAME, aggregate=aggregate, payload={"n": n})


def drain() -> None:
    while relay_once():
        pass


def due_now() -> None:
    OutboxDelivery.objects.update(due_at=clock.now())


def test_it_refuses_to_be_written_outside_a_transaction(heard):
    with pytest.raises(RuntimeError, match="transaction"):
        publish(name=NAME, aggregate="thing:1", payload={})


def test_what_was_rolled_back_is_never_told(heard):
    with pytest.raises(KeyError), transaction.atomic():
        publish(name=NAME, aggregate="thing:1", payload={"n": 1})
        raise KeyError
    drain()
    assert heard.payloads == []


def test_events_of_one_aggregate_arrive_in_order(heard):
    for n in range(5):
        tell(n)
    drain()
    assert heard.payloads == [0, 1, 2, 3, 4]
    assert not OutboxDelivery.objects.filter(done_at=None).exists()


def test_a_failing_one_holds_back_its_own_aggregate_only(heard):
    heard.failing = True
    tell(1, "thing:1")
    drain()
    heard.failing = False
    tell(2, "thing:1")
    tell(3, "thing:2")
    drain()
    assert heard.payloads == [3]
    due_now()
    drain()
    assert heard.payloads == [3, 1, 2]


def test_after_its_last_try_it_is_dead_and_the_next_goes_on(heard):
    heard.failing = True
    tell(1)
    for _ in range(MAX_ATTEMPTS):
        due_now()
        drain()
    dead = OutboxDelivery.objects.get()
    assert dead.dead_at is not None
    assert "not today" in dead.error
    heard.failing = False
    tell(2)
    drain()
    assert heard.payloads == [2]


def test_several_relays_deliver_each_event_once(heard):
    for n in range(20):
        tell(n, f"thing:{n % 4}")

    def work() -> None:
        drain()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    drain()
    assert sorted(heard.payloads) == list(range(20))
    for group in range(4):
        mine = [n for n in heard.payloads if n % 4 == group]
        assert mine == sorted(mine)


def test_an_event_cannot_be_changed(heard):
    tell(1)
    with pytest.raises(Exception, match="Cannot update"):
        OutboxEvent.objects.update(name="other")
