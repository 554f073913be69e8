"""The outbox relay's heart: a thread of each Celery worker, woken by the database itself.

Waking it through the broker would lose time, and work where the broker is down; PostgreSQL's
NOTIFY reaches it in the moment the event commits. A look every `SWEEP_S` seconds finds what
became due by waiting, and what a lost notification left.
"""

import threading

import psycopg
import structlog
from celery import bootsteps, current_app
from celery.signals import worker_process_init
from django.db import InterfaceError, OperationalError, connection, connections

from apps.core.steps import OUTBOX_CHANNEL
from apps.core.tasks import relay_once

log = structlog.get_logger(__name__)

SWEEP_S = 2.0
PAUSE_AFTER_FAULT_S = 1.0


class Relay(threading.Thread):
    """Delivers events until `stop` is called."""

    def __init__(self) -> None:
        super().__init__(name="outbox-relay", daemon=True)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Finish the delivery in hand, then end."""
        self._stopping.set()

    def run(self) -> None:
        """Deliver; a fault of the database is logged and waited out."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except (psycopg.OperationalError, OperationalError, InterfaceError) as error:
                log.warning("outbox.database-away", reason=str(error))
                self._pause()
            except Exception as error:
                log.warning("outbox.relay-fault", exc_info=error)
                self._pause()
        connections.close_all()

    def _pause(self) -> None:
        connections.close_all()
        self._stopping.wait(PAUSE_AFTER_FAULT_S)

    def _listen(self) -> None:
        params = connection.get_connection_params()
        params.pop("cursor_factory", None)
        params.pop("context", None)
        # A connection of its own: the one that works would miss what is told meanwhile.
        with psycopg.connect(**params, autocommit=True) as listener:
            listener.execute(f"LISTEN {OUTBOX_CHANNEL}")
            while not self._stopping.is_set():
                while relay_once():
                    pass
                for _ in listener.notifies(timeout=SWEEP_S, stop_after=1):
                    pass


class RelayStep(bootsteps.StartStopStep):
    """The relay's place in a Celery worker: it delivers whether or not there is a broker."""

    requires = ("celery.worker.components:Pool",)  # forked before any thread of ours

    def start(self, parent: object) -> None:
        """Start it before the worker looks for its broker."""
        self._relay = Relay()
        self._relay.start()

    def stop(self, parent: object) -> None:
        """Stop it with the worker."""
        self._relay.stop()
        self._relay.join(timeout=10)


current_app.steps["worker"].add(RelayStep)


@worker_process_init.connect
def forget_parent_connections(**kwargs: object) -> None:
    """A forked child must not use its parent's connection."""
    for each in connections.all(initialized_only=True):
        each.connection = None
