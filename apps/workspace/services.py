"""Commands of the workspace itself: what a person chose for their own desk."""

from collections.abc import Mapping

from django.db import transaction

from apps.accounts.models import User


@transaction.atomic(durable=True)
def preferences_save(*, user: User, chosen: Mapping[str, str]) -> None:
    """Keep a person's own choices beside those made before; nobody else is concerned."""
    row = User.objects.select_for_update().get(pk=user.pk)
    row.preferences = {**row.preferences, **chosen}
    row.save(update_fields=["preferences"])
