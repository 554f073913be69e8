from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AuditConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.audit"

    def ready(self) -> None:
        """Load every app's `audit_events.py`: an event without words is refused."""
        autodiscover_modules("audit_events")
