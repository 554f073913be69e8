from django.apps import AppConfig


class Hl7Config(AppConfig):
    """HL7 v2: listener, acknowledgements, results out."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.hl7"
