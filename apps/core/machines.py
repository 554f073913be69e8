"""State machines as tables.

One table gives the command's guard, the database's guard (trigger and check constraint), the
diagram in the documentation, and a test of every event in every state.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pgtrigger
from django.db import models

from apps.core.errors import TransitionNotAllowedError


@dataclass(frozen=True)
class Machine:
    """A state machine.

    Attributes:
        name: names the constraint and the trigger, and the group of words in `status.json`.
        field: the model field that holds the state.
        source: where the states come from (`PS3.4 F.7.2`).
        initial: states a row may be created in.
        table: `(event, state) -> state`; a pair that is absent is refused.
    """

    name: str
    field: str
    source: str
    initial: tuple[str, ...]
    table: Mapping[tuple[str, str], str]

    @property
    def states(self) -> tuple[str, ...]:
        """All states, those a row starts in first."""
        found = dict.fromkeys(self.initial)
        for (_, before), after in self.table.items():
            found |= {before: None, after: None}
        return tuple(found)

    @property
    def events(self) -> tuple[str, ...]:
        """All events, in the order of the table."""
        return tuple(dict.fromkeys(event for event, _ in self.table))

    def target(self, event: str, state: str) -> str:
        """Return the state that the event leads to.

        Raises:
            TransitionNotAllowedError: the table has no such pair.
        """
        try:
            return self.table[event, state]
        except KeyError:
            message = f"{self.name}: '{event}' is not possible while it is {state}."
            raise TransitionNotAllowedError(message, event=event, state=state) from None

    def allows(self, event: str, state: str) -> bool:
        """Tell whether the event is possible in the state."""
        return (event, state) in self.table

    def choices(self) -> list[tuple[str, str]]:
        """Return the states as Django choices; words come from `status.json`."""
        return [(state, state) for state in self.states]

    def constraint(self) -> models.CheckConstraint:
        """Return the constraint that no row holds an unknown state."""
        return models.CheckConstraint(
            name=f"{self.name}_{self.field}_known",
            condition=models.Q(**{f"{self.field}__in": list(self.states)}),
        )

    def trigger(self) -> pgtrigger.FSM:
        """Return the trigger that refuses every update the table does not have."""
        pairs = {(b, a) for (_, b), a in self.table.items() if b != a}
        return pgtrigger.FSM(
            name=f"{self.name}_{self.field}_fsm", field=self.field, transitions=sorted(pairs)
        )

    def mermaid(self) -> str:
        """Return the diagram for the documentation."""
        lines = ["stateDiagram-v2"]
        lines += [f"    [*] --> s{self.states.index(s)}" for s in self.initial]
        lines += [f'    state "{s}" as s{i}' for i, s in enumerate(self.states)]
        lines += [
            f"    s{self.states.index(b)} --> s{self.states.index(a)}: {event}"
            for (event, b), a in self.table.items()
        ]
        return "\n".join(lines)
