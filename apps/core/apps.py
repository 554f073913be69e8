from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from apps.core.database_role import grant_role


class CoreConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.core"

    def ready(self) -> None:
        """Load every app's `subscribers.py`, so that `publish` knows who listens."""
        autodiscover_modules("subscribers")
        post_migrate.connect(grant_role, sender=self)
