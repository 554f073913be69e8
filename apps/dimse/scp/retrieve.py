"""C-GET and C-MOVE: one retrieve engine's objects, sent by C-STORE.

Source: PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import structlog
from django.conf import settings

from apps.accounts.models import ApplicationEntity
from apps.accounts.selectors import application_entity
from apps.core.actors import Actor
from apps.core.errors import DomainError, NotFoundError
from apps.dimse.certificates import peer_tls
from apps.dimse.data_sets import DataSet
from apps.dimse.scp.answers import read_identifier, refuse
from apps.dimse.scp.identifiers import level_of, unique_values
from apps.dimse.scp.senders import BackOverAssociation, ToDestination
from apps.dimse.scp.sub_operations import Progress
from apps.dimse.sop_classes import QUERY_RETRIEVE, Root, Service
from apps.dimse.statuses import (
    MOVE_DESTINATION_UNKNOWN,
    NOT_AUTHORISED,
    SOP_CLASS_NOT_SUPPORTED,
)
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.dimse.upper.requestor import PeerUnreachableError
from apps.studies.identity import Identity
from apps.studies.query import Level, Query, search
from apps.studies.query.attributes import ISSUER_OF_PATIENT_ID, PATIENT_ID, STUDY_INSTANCE_UID
from apps.studies.retrieve import Item, dataset_chunks, select, transcoded_dataset

log = structlog.get_logger("isocenter.dimse")

DOOR = "dimse"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance with the identity it goes out under."""

    item: Item
    identity: Identity | None

    @property
    def sop_class_uid(self) -> str:
        """Its class."""
        return self.item.sop_class_uid

    @property
    def sop_instance_uid(self) -> str:
        """Its UID."""
        return self.item.sop_instance_uid

    @property
    def transfer_syntax_uid(self) -> str:
        """As it is stored."""
        return self.item.transfer_syntax_uid

    def data_set(self, transfer_syntax_uid: str) -> Iterable[bytes]:
        """Yield its data set as stored, or transcoded.

        Raises:
            DomainError: it cannot be read, or not be given so.
        """
        if transfer_syntax_uid == self.item.transfer_syntax_uid:
            return dataset_chunks(self.item, self.identity)
        return transcoded_dataset(self.item, transfer_syntax_uid, self.identity)


def get(association: Association, context: Context, command: Command) -> None:
    """Send what the identifier names back over the same association."""
    objects = _asked_for(association, context, command, Service.GET)
    if objects is None:
        return
    progress = Progress(association, context, command, len(objects))
    sender = BackOverAssociation(association, command)
    for one, following in zip_longest(objects, objects[1:]):
        if sender.cancelled:
            break
        progress.done(one.sop_instance_uid, sender.send(one, following))
        progress.tell()
    progress.finish(cancelled=sender.cancelled)


def move(association: Association, context: Context, command: Command) -> None:
    """Send what the identifier names to the destination, on an association of our own."""
    title = command.text(commands.MOVE_DESTINATION)
    destination = application_entity(title)
    objects = _asked_for(association, context, command, Service.MOVE, destination=destination)
    if objects is None or destination is None:
        return
    progress = Progress(association, context, command, len(objects))
    sender = ToDestination(
        host=destination.host,
        port=destination.port,
        ae_title=destination.ae_title,
        calling_ae=settings.ISOCENTER_AE_TITLE,
        originator=(association.request.calling_ae, command.message_id),
        objects=objects,
        tls=peer_tls(destination),
    )
    cancelled = False
    try:
        for one, following in zip_longest(objects, objects[1:]):
            cancelled = association.cancelled(command)
            if cancelled:
                break
            progress.done(one.sop_instance_uid, sender.send(one, following))
            progress.tell()
    except PeerUnreachableError as error:
        log.warning("destination unreachable", association=association.id, error=str(error))
        progress.give_up([one.sop_instance_uid for one in objects])
    finally:
        sender.close()
    progress.finish(cancelled=cancelled)


def _asked_for(
    association: Association,
    context: Context,
    command: Command,
    service: Service,
    *,
    destination: ApplicationEntity | None = None,
) -> list[Outgoing] | None:
    """Return the instances asked for; None where the request was refused already.

    Nothing found is no error: the answer is success with no sub-operations, whether it is absent
    or hidden.
    """
    identifier = read_identifier(association, context, command)
    if identifier is None:
        return None
    served, root = QUERY_RETRIEVE.get(context.abstract_syntax, (None, Root.STUDY))
    refusal = None
    if served is not service:
        refusal = SOP_CLASS_NOT_SUPPORTED
    elif service not in association.admission.verbs:
        refusal = NOT_AUTHORISED
    elif service is Service.MOVE and destination is None:
        refusal = MOVE_DESTINATION_UNKNOWN
    if refusal is not None:
        association.respond(context, command, refusal)
        return None
    relational = association.agreed(context.abstract_syntax).relational
    try:
        return _selected(association.actor, identifier, root, relational=relational)
    except NotFoundError:
        return []
    except DomainError as error:
        refuse(association, context, command, error)
        return None


def _selected(actor: Actor, identifier: DataSet, root: Root, *, relational: bool) -> list[Outgoing]:
    wanted = unique_values(identifier, level_of(identifier, root), root, relational=relational)
    studies = wanted.get(Level.STUDY, [])
    if root is Root.PATIENT and Level.PATIENT in wanted:
        issuer = str(identifier.get(ISSUER_OF_PATIENT_ID, ""))
        studies = _studies_of(actor, wanted[Level.PATIENT], issuer, studies)
        if not studies:
            return []
    selections = select(
        actor=actor,
        door=DOOR,
        study_instance_uids=studies,
        series_instance_uids=wanted.get(Level.SERIES, []),
        sop_instance_uids=wanted.get(Level.IMAGE, []),
    )
    return [
        Outgoing(item, selection.identity) for selection in selections for item in selection.items
    ]


def _studies_of(actor: Actor, patient_ids: list[str], issuer: str, studies: list[str]) -> list[str]:
    """Return the studies, of those named or of all, of a patient named by number (patient root)."""
    keys = {PATIENT_ID: "\\".join(patient_ids), STUDY_INSTANCE_UID: "\\".join(studies)}
    query = Query(Level.STUDY, keys | {ISSUER_OF_PATIENT_ID: issuer})
    found = search(actor=actor, query=query, door=DOOR)
    return [row[STUDY_INSTANCE_UID] for row in found.rows]
