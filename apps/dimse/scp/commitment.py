"""Storage commitment, push model: N-ACTION, and its answer where there is no address to send it to.

Source: PS3.4 Annex J, PS3.7 10.1.4 (N-ACTION), 10.1.1 (N-EVENT-REPORT).
"""

import structlog
from django.conf import settings

from apps.accounts.selectors import application_entity
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.errors import DomainError
from apps.dimse.data_sets import DataSet, DataSetError, decode, encode
from apps.dimse.event_reports import (
    REFERENCED_SOP_CLASS_UID,
    REFERENCED_SOP_INSTANCE_UID,
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    event_command,
    event_information,
)
from apps.dimse.sop_classes import (
    STORAGE_COMMITMENT_PUSH,
    STORAGE_COMMITMENT_PUSH_INSTANCE,
    Service,
    is_uid,
)
from apps.dimse.statuses import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_SOP_INSTANCE,
    NOT_AUTHORISED,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    status_of,
)
from apps.dimse.tasks import check
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command, encode_command
from apps.dimse.upper.negotiation import EXPLICIT_LE, Context
from apps.dimse.upper.wire import WireError
from apps.exchange.models import StorageCommitment
from apps.exchange.services import (
    commitment_claim,
    commitment_postpone,
    commitment_reported,
    commitment_request,
)
from apps.studies.commitment import Reference

log = structlog.get_logger("isocenter.dimse")

REQUEST_COMMITMENT = 1
"""Action Type ID. Source: PS3.4 Table J.3-1."""


def request_commitment(association: Association, context: Context, command: Command) -> None:
    """Take an N-ACTION down and answer it; the result follows on an association of our own.

    A peer without an address here (not registered, the door being open) gets the result over this
    association, as long as it keeps it.
    """
    raw = association.read_data_set(context, command)
    refusal = _refused(association, context, command)
    if refusal is not None:
        association.respond(context, command, refusal)
        return
    try:
        information = decode(raw, explicit=context.transfer_syntax == EXPLICIT_LE)
        transaction_uid = str(information.get(TRANSACTION_UID, ""))
        references = _references(information)
    except DataSetError as error:
        association.respond(context, command, INVALID_ARGUMENT, comment=str(error))
        return
    if not is_uid(transaction_uid):
        association.respond(context, command, INVALID_ARGUMENT, comment="no Transaction UID")
        return
    actor = association.actor
    ae_title = association.request.calling_ae
    try:
        commitment_request(
            actor=actor,
            ae_title=ae_title,
            site_id=actor.home_site or 0,
            association=association.id,
            transaction_uid=transaction_uid,
            references=references,
            at=clock.now(),
        )
    except DomainError as error:
        status = INVALID_ARGUMENT if error.code == "core.invalid" else status_of(error)
        association.respond(context, command, status, comment=error.message)
        return
    association.respond(context, command, SUCCESS)
    if application_entity(ae_title) is None and association.id not in _answering:
        _answer_here(association, context)


def _refused(association: Association, context: Context, command: Command) -> int | None:
    if context.abstract_syntax != STORAGE_COMMITMENT_PUSH or (
        command.sop_class_uid != STORAGE_COMMITMENT_PUSH
    ):
        return SOP_CLASS_NOT_SUPPORTED
    if Service.COMMIT not in association.admission.verbs:
        return NOT_AUTHORISED
    if command.sop_instance_uid != STORAGE_COMMITMENT_PUSH_INSTANCE:
        return NO_SUCH_SOP_INSTANCE
    if command.number(commands.ACTION_TYPE_ID) != REQUEST_COMMITMENT:
        return NO_SUCH_ACTION
    return None


def _references(information: DataSet) -> list[Reference]:
    """Return what is asked about.

    Raises:
        DataSetError: an item names no class or no instance, or there is none.
    """
    items = information.get(REFERENCED_SOP_SEQUENCE)
    if not isinstance(items, list) or not items:
        message = "no Referenced SOP Sequence"
        raise DataSetError(message)
    found = []
    for item in items:
        sop_class = str(item.get(REFERENCED_SOP_CLASS_UID, ""))
        uid = str(item.get(REFERENCED_SOP_INSTANCE_UID, ""))
        if not is_uid(sop_class) or not is_uid(uid):
            message = "an item of the Referenced SOP Sequence names no class or no instance"
            raise DataSetError(message)
        found.append(Reference(sop_class, uid))
    return found


# -- over the same association ----------------------------------------------------------------

_answering: set[str] = set()
"""Associations in which a result is being said: what is asked meanwhile has its turn after it."""


def _answer_here(association: Association, context: Context) -> None:
    _answering.add(association.id)
    try:
        while row := commitment_claim(at=clock.now(), association=association.id):
            checked = check(row)
            try:
                status = _report(association, context, checked)
            except (WireError, OSError) as error:
                why = f"the association ended before the result was taken: {error}"
                commitment_postpone(commitment_id=row.pk, error=why, at=clock.now())
                raise
            if status == SUCCESS:
                commitment_reported(
                    actor=system_actor("commitment"), commitment_id=row.pk, at=clock.now()
                )
            else:
                why = f"it answered {status:04X}H"
                commitment_postpone(commitment_id=row.pk, error=why, at=clock.now())
    finally:
        _answering.discard(association.id)


def _report(association: Association, context: Context, checked: StorageCommitment) -> int:
    """Send the result and return the status of its response; other requests are served meanwhile.

    Source: PS3.7 10.1.1: a notification is no answer, so requests may cross it.
    """
    message_id = checked.pk % 0xFFFF + 1
    command = encode_command(
        {
            **event_command(checked),
            commands.MESSAGE_ID: message_id,
            commands.DATA_SET_TYPE: commands.WITH_DATA_SET,
        }
    )
    data_set = encode(
        event_information(checked, settings.ISOCENTER_AE_TITLE),
        explicit=context.transfer_syntax == EXPLICIT_LE,
    )
    wire = association.wire
    wire.send(wire.message(context.context_id, command, data_set))
    while True:
        where, answer = association.read_command()
        if (
            answer.field == commands.N_EVENT_REPORT_RQ | commands.RESPONSE
            and answer.number(commands.MESSAGE_ID_RESPONDED_TO) == message_id
        ):
            association.skip_data_set(where, answer)
            return answer.status
        association.dispatch(where, answer)
