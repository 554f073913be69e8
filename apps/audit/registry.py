"""Every audited event: its action and the words a privacy officer reads.

An app registers its own in `audit_events.py`, loaded at start; an event that is not here is
refused, so none is without words.
"""

from dataclasses import dataclass

from apps.audit.models import Action


@dataclass(frozen=True, slots=True)
class EventType:
    """What an event means."""

    name: str
    action: Action
    words: str


_types: dict[str, EventType] = {}


def register(name: str, action: Action, words: str) -> str:
    """Declare an event and return its name, so that it can be kept as a constant."""
    _types[name] = EventType(name, action, words)
    return name


def event_type(name: str) -> EventType:
    """Return an event's declaration.

    Raises:
        LookupError: nobody declared it.
    """
    if name not in _types:
        message = f"audit event {name} is not declared in any audit_events.py"
        raise LookupError(message)
    return _types[name]


def event_types() -> dict[str, EventType]:
    """Return all declared events by name."""
    return dict(_types)
