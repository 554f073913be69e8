"""Steps of accounts that higher apps call inside their own commands."""

import datetime

from apps.accounts.models import AccessGrant, User
from apps.core.actors import Actor
from apps.core.steps import require_transaction


def access_grant(
    *,
    actor: Actor,
    user: User,
    reason: str,
    at: datetime.datetime,
    exam_key: int | None = None,
    patient_key: int | None = None,
) -> None:
    """Let a referrer, and the practice the referrer belongs to, see an exam or a patient.

    Granting the same again changes nothing.
    """
    require_transaction()
    grantees = [f"user:{user.pk}"]
    if user.practice_id:
        grantees.append(f"practice:{user.practice_id}")
    AccessGrant.objects.bulk_create(
        [
            AccessGrant(
                grantee=grantee,
                patient_key=patient_key,
                exam_key=exam_key,
                reason=reason,
                granted_at=at,
                granted_by=actor.key,
            )
            for grantee in grantees
        ],
        ignore_conflicts=True,
    )
