"""MPPS: N-CREATE and N-SET of a modality performed procedure step.

Source: PS3.4 Annex F, PS3.7 10.1.3 (N-SET), 10.1.5 (N-CREATE).
"""

from collections.abc import Callable

from pydicom import Dataset

from apps.core import clock
from apps.core.errors import DomainError
from apps.dimse.data_sets import DataSetError
from apps.dimse.scp.pydicom_sets import to_pydicom
from apps.dimse.sop_classes import MODALITY_PERFORMED_PROCEDURE_STEP, Service, is_uid
from apps.dimse.statuses import (
    CANNOT_UNDERSTAND,
    INVALID_SOP_INSTANCE,
    NOT_AUTHORISED,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    status_of,
)
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.worklists.services import performed_step_create, performed_step_set

ERROR_ID = 0x0903
MAY_NO_LONGER_BE_UPDATED = 0xA710
"""(0000,0903) of a refused N-SET. Source: PS3.4 Table F.7.2-2."""


def create(association: Association, context: Context, command: Command) -> None:
    """Take an N-CREATE; the UID is the peer's, or ours where it gives none."""

    def record(attributes: Dataset) -> str:
        performed = performed_step_create(
            actor=association.actor,
            attributes=attributes,
            at=clock.now(),
            sop_instance_uid=command.sop_instance_uid,
        )
        return performed.sop_instance_uid

    _take(association, context, command, record, uid_needed=False)


def change(association: Association, context: Context, command: Command) -> None:
    """Take an N-SET."""

    def record(modifications: Dataset) -> str:
        performed_step_set(
            actor=association.actor,
            sop_instance_uid=command.sop_instance_uid,
            modifications=modifications,
            at=clock.now(),
        )
        return command.sop_instance_uid

    _take(association, context, command, record, uid_needed=True)


def _take(
    association: Association,
    context: Context,
    command: Command,
    record: Callable[[Dataset], str],
    *,
    uid_needed: bool,
) -> None:
    raw = association.read_data_set(context, command)
    uid = command.sop_instance_uid
    if context.abstract_syntax != MODALITY_PERFORMED_PROCEDURE_STEP:
        association.respond(context, command, SOP_CLASS_NOT_SUPPORTED)
    elif Service.MPPS not in association.admission.verbs:
        association.respond(context, command, NOT_AUTHORISED)
    elif not is_uid(uid) and (uid or uid_needed):
        association.respond(context, command, INVALID_SOP_INSTANCE)
    else:
        _record(association, context, command, record, raw)


def _record(
    association: Association,
    context: Context,
    command: Command,
    record: Callable[[Dataset], str],
    raw: bytes,
) -> None:
    try:
        uid = record(to_pydicom(raw, context.transfer_syntax))
    except DataSetError as error:
        association.respond(context, command, CANNOT_UNDERSTAND, comment=str(error))
    except DomainError as error:
        final = error.code == "worklists.mpps-final"
        association.respond(
            context,
            command,
            status_of(error),
            extra={ERROR_ID: MAY_NO_LONGER_BE_UPDATED} if final else None,
            comment=error.message,
        )
    else:
        extra = {commands.AFFECTED_SOP_INSTANCE_UID: uid}
        association.respond(context, command, SUCCESS, extra=extra)
