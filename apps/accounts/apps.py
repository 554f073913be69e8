from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def ensure_main_site(using: str, **kwargs: Any) -> None:
    """Make the site MAIN, which always exists (`migrate`, and after a test's flush)."""
    from apps.accounts.models import MAIN_SITE, Site

    Site.objects.using(using).get_or_create(
        code=MAIN_SITE,
        defaults={
            "name": "Main site",
            "issuer_of_patient_id": MAIN_SITE,
            "issuer_of_accession_number": MAIN_SITE,
        },
    )


class AccountsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "apps.accounts"

    def ready(self) -> None:
        """Make MAIN wherever the tables are made; listen to people signing in."""
        from apps.accounts import sign_in

        post_migrate.connect(ensure_main_site, sender=self)
        sign_in.connect()
