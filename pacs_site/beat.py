"""One beat for the whole installation, however many machines start one: it holds a lock."""

import os
import signal
import threading
import time

import psycopg
import structlog
from celery.signals import beat_init
from django.db import connection

log = structlog.get_logger(__name__)

LOCK = 0x69736F62  # "isob"; an advisory lock is named by a number
LOOK_S = 5.0
AGAIN_S = 1.0


@beat_init.connect
def hold_lock(**kwargs: object) -> None:
    """Wait until no other beat lives, then keep the lock as long as the database knows us.

    A database that is away is waited for. Nothing but the lock lets this beat begin: Celery logs
    what a receiver raises and goes on, so every other error ends the process here.
    """
    try:
        holder = _locked()
    except Exception as error:
        log.exception("beat.no-lock")
        raise SystemExit(1) from error
    log.info("beat.lock-held")
    threading.Thread(target=_watch, args=[holder], daemon=True, name="beat-lock").start()


def _locked() -> psycopg.Connection[tuple[object, ...]]:
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    params.pop("context", None)
    while True:
        try:
            holder = psycopg.connect(**params, autocommit=True)
            holder.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            return holder
        except psycopg.OperationalError as error:
            log.warning("beat.no-database", error=str(error), retry_in=AGAIN_S)
            time.sleep(AGAIN_S)


def _watch(holder: psycopg.Connection[tuple[object, ...]]) -> None:
    """End this beat when the lock is lost; started again, it waits its turn."""
    pause = threading.Event()
    try:
        while not pause.wait(LOOK_S):
            holder.execute("SELECT 1")
    except psycopg.Error as error:
        log.warning("beat.lock-lost", error=str(error))
        os.kill(os.getpid(), signal.SIGTERM)
