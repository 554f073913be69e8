from django.apps import AppConfig


class Hl7Config(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.hl7"
