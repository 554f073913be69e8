from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.core"

    def ready(self) -> None:
        """Load every app's `subscribers.py`, so that `publish` knows who listens."""
        autodiscover_modules("subscribers")
