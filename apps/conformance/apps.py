from django.apps import AppConfig


class ConformanceConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.conformance"
