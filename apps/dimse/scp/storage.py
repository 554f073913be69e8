"""C-STORE: the data set goes to the archive as it comes; success leaves once it is durable.

Source: PS3.4 Annex B, PS3.7 9.1.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from django.db import DatabaseError

from apps.archive.incoming import IncomingObject
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.dimse.committer import Committer, Durable
from apps.dimse.sop_classes import Service, is_uid
from apps.dimse.statuses import (
    CANNOT_UNDERSTAND,
    INVALID_SOP_INSTANCE,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    WARNING_COERCED,
    WARNING_DOES_NOT_MATCH_SOP_CLASS,
    status_of,
)
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.studies.services import InstanceResult, InstanceStatus, instances_record_from

DOOR = "dimse"

log = structlog.get_logger("isocenter.dimse")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an object is not taken."""

    status: int
    comment: str = ""


class _Sink:
    """Takes the pieces of a data set; after a fault it lets the rest pass, to be able to answer."""

    def __init__(self, incoming: IncomingObject) -> None:
        self._incoming = incoming
        self.error: DomainError | None = None

    def write(self, piece: memoryview) -> None:
        if self.error is None:
            try:
                self._incoming.write(piece)
            except DomainError as error:
                self.error = error


def store(association: Association, context: Context, command: Command) -> None:
    """Receive one object and answer."""
    refusal = _refused_unseen(association, context, command)
    if refusal is not None:
        association.skip_data_set(context, command)
    else:
        refusal = _receive(association, context, command)
    if refusal is None:
        association.respond(context, command, SUCCESS)
    else:
        association.respond(context, command, refusal.status, comment=refusal.comment)


def _refused_unseen(association: Association, context: Context, command: Command) -> Refusal | None:
    """Say what is wrong with a request before its data set is looked at."""
    if Service.STORE not in association.admission.verbs:
        return Refusal(NOT_AUTHORISED, "this AE may not store here")
    if command.sop_class_uid != context.abstract_syntax:
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "not the SOP class of the context")
    if not is_uid(command.sop_instance_uid):
        return Refusal(INVALID_SOP_INSTANCE, "no SOP Instance UID")
    if not command.has_data_set:
        return Refusal(CANNOT_UNDERSTAND, "no data set")
    return None


def _receive(association: Association, context: Context, command: Command) -> Refusal | None:
    try:
        incoming = IncomingObject(
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            transfer_syntax_uid=context.transfer_syntax,
            source_ae_title=association.request.calling_ae,
        )
    except DomainError as error:
        association.skip_data_set(context, command)
        return _refusal(error)
    try:
        sink = _Sink(incoming)
        association.wire.stream_data_set(context.context_id, sink.write)
        if sink.error is not None:
            raise sink.error
        incoming.end()
    except DomainError as error:
        incoming.discard()
        return _refusal(error)
    except BaseException:
        incoming.discard()  # half an object: the association ended within it
        raise
    return _record(association, incoming)


def _record(association: Association, incoming: IncomingObject) -> Refusal | None:
    """Record the object with whatever else has come; an exception never becomes success.

    Where the database failed the file stays, if it is durable: the commit may have been reached.
    The sweeper removes what no row names.
    """
    try:
        result = _committer.record((association.actor, incoming), incoming.sync)
    except DomainError as error:
        incoming.discard()
        return _refusal(error)
    except DatabaseError:
        incoming.discard_unless_durable()
        log.exception("an object could not be recorded", association=association.id)
        return Refusal(OUT_OF_RESOURCES, "the database did not answer; send it again")
    except Exception:
        incoming.discard_unless_durable()
        log.exception("an object could not be recorded", association=association.id)
        return Refusal(PROCESSING_FAILURE, "internal error")
    return _answer(result)


def _answer(result: InstanceResult) -> Refusal | None:
    match result.status:
        case InstanceStatus.STORED | InstanceStatus.ALREADY_HERE:
            return None
        case InstanceStatus.OTHER_VERSION:
            return Refusal(WARNING_COERCED, "another data set has this UID; both are kept")
        case InstanceStatus.QUARANTINED:
            what = result.findings[0].words if result.findings else "defects"
            return Refusal(WARNING_DOES_NOT_MATCH_SOP_CLASS, f"kept in quarantine: {what}")
        case InstanceStatus.REFUSED:
            error = result.error or DomainError()
            if result.quarantined:
                return Refusal(status_of(error), "cannot be filed; kept in quarantine. Send again")
            return _refusal(error)


def _refusal(error: DomainError) -> Refusal:
    return Refusal(status_of(error), error.message)


class _MovedError(Exception):
    """A storage found out when it was synced that it is full; the object is in another one now."""


def _sync_where_said(
    batch: Sequence[tuple[Actor, IncomingObject]], keys: Sequence[str], sync: Durable
) -> None:
    sync()
    if [incoming.staged().key for _, incoming in batch] != keys:
        raise _MovedError


def _record_batch(
    batch: Sequence[tuple[Actor, IncomingObject]], sync: Durable
) -> list[InstanceResult]:
    while True:
        places = [(actor, incoming.staged()) for actor, incoming in batch]
        durable = partial(_sync_where_said, batch, [staged.key for _, staged in places], sync)
        try:
            return instances_record_from(batch=places, at=clock.now(), door=DOOR, durable=durable)
        except _MovedError:
            log.info("recording once more: a storage ran full", size=len(batch))


_committer: Committer[tuple[Actor, IncomingObject], InstanceResult] = Committer(_record_batch)
