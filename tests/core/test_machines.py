"""Every state machine: each event in each state, in the command's guard and in the database's."""

import json
from pathlib import Path

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction

from apps.core.errors import TransitionNotAllowedError
from apps.core.machines import Machine
from apps.exchange.domain import COMMITMENT
from apps.orders.domain import ORDER
from apps.reports.domain import REPORT
from apps.scheduling.domain import APPOINTMENT, SCHEDULED_STEP
from apps.worklists.domain import PERFORMED_STEP

MACHINES: list[tuple[Machine, str, str]] = [
    (ORDER, "orders.Order", "order"),
    (APPOINTMENT, "scheduling.Appointment", "appt"),
    (SCHEDULED_STEP, "scheduling.ScheduledStep", "sps"),
    (PERFORMED_STEP, "worklists.PerformedStep", "mpps"),
    (REPORT, "reports.Report", "report"),
    (COMMITMENT, "exchange.StorageCommitment", "commitment"),
]
each_machine = pytest.mark.parametrize(
    ("machine", "label", "words"), MACHINES, ids=[machine.name for machine, *_ in MACHINES]
)
PAIRS = [
    pytest.param(machine, event, state, id=f"{machine.name}-{event}-{state}")
    for machine, *_ in MACHINES
    for event in machine.events
    for state in machine.states
]
WORDS = json.loads((Path(__file__).parents[2] / "static" / "status.json").read_text())


@pytest.mark.parametrize(("machine", "event", "state"), PAIRS)
def test_the_command_guard_knows_each_event_in_each_state(machine, event, state):
    if (event, state) in machine.table:
        assert machine.target(event, state) == machine.table[event, state]
    else:
        with pytest.raises(TransitionNotAllowedError, match=event):
            machine.target(event, state)


@pytest.mark.django_db
@each_machine
def test_the_database_refuses_what_the_table_does_not_have(machine, label, words):
    """The trigger holds exactly the table's pairs, and it is installed."""
    model = apps.get_model(label)
    trigger = machine.trigger()
    pairs = {(before, after) for (_, before), after in machine.table.items() if before != after}
    assert set(trigger.transitions) == pairs
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE %s",
            [model._meta.db_table, f"%{machine.name}_{machine.field}_fsm%"],
        )
        assert cursor.fetchone()[0] == 1


@pytest.mark.django_db
def test_an_illegal_update_past_the_command_is_refused(patient_order):
    order = patient_order()
    with pytest.raises(ProgrammingError, match="CM"), transaction.atomic():
        type(order).objects.filter(pk=order.pk).update(status="HD")
        type(order).objects.filter(pk=order.pk).update(status="CM")


@each_machine
def test_every_state_has_an_icon_and_words(machine, label, words):
    states = WORDS[words]["states"]
    for state in machine.states:
        assert states[state]["icon"], state
        assert states[state]["words"], state


def test_the_diagram_names_every_state():
    assert all(f'"{state}"' in ORDER.mermaid() for state in ORDER.states)
