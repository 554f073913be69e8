"""The Celery application. Tasks are declared with `apps.core.tasks.pacs_task` only."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")
NICENESS = 10
app = Celery("isocenter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.imports = ("apps.core.relay", "pacs_site.beat")


@worker_init.connect
def give_way(**kwargs: object) -> None:
    """Let the doors, where somebody waits, have the processor first."""
    os.nice(NICENESS)
