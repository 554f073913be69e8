"""Who listens to which outbox event. Apps register in `subscribers.py`, loaded at start."""

import datetime
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """What a subscriber is given: at least once, in order per aggregate."""

    id: int
    name: str
    aggregate: str
    payload: dict[str, Any]
    published_at: datetime.datetime


Handler = Callable[[Event], None]
_subscribers: dict[str, dict[str, Handler]] = defaultdict(dict)


def subscribe(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler for events by name (`reports.report.finalised`).

    The handler runs inside the relay's transaction for that one delivery: it writes rows or calls
    steps, and does no network work. It may be called again after a failure.
    """

    def register(handler: Handler) -> Handler:
        key = f"{handler.__module__}.{handler.__qualname__}"
        for name in names:
            _subscribers[name][key] = handler
        return handler

    return register


def subscribers_of(name: str) -> dict[str, Handler]:
    """Return the handlers of an event, by their dotted path."""
    return _subscribers[name]
