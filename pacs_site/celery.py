"""The Celery application. Tasks are declared with `apps.core.tasks.pacs_task` only."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")
app = Celery("isocenter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.imports = ("apps.core.relay", "pacs_site.beat")
