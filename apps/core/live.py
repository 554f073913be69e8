"""Tell open pages that something changed.

A page listens at `/live/?topic=reading-list`; the web server holds one LISTEN per process. The
message says only that a topic changed, and the page asks again as its own user, so nothing that
the policy hides travels here.
"""

import json

from django.db import connection

CHANNEL = "isocenter_live"
READING_LIST = "reading-list"
SCHEDULE = "schedule"
PERFORM = "perform"
ATTENTION = "attention"
NODES = "nodes"
PAUSE_S = 1.0
"""Where a change repeats many times a second it is told once and, so that the last is seen, once
more after this pause: the message names it."""


def notify(topic: str, key: str = "") -> None:
    """Announce a change when the transaction commits; equal messages in one are sent once.

    Args:
        topic: one of the constants above.
        key: what changed, such as a row id; no names, no patient data.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps([topic, key])])
