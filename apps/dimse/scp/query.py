"""C-FIND of the patient and study root.

Source: PS3.4 C.4.1, C.6.1, C.6.2.
"""

from collections.abc import Iterator

from apps.core.errors import DomainError
from apps.dimse.data_sets import DataSet
from apps.dimse.scp.answers import answer_matches, read_identifier, refuse
from apps.dimse.scp.identifiers import answer, check_hierarchy, keys_of, level_of
from apps.dimse.scp.worklist import find_worklist
from apps.dimse.sop_classes import MODALITY_WORKLIST_FIND, QUERY_RETRIEVE, Root, Service
from apps.dimse.statuses import (
    NOT_AUTHORISED,
    PENDING,
    PENDING_OPTIONAL_KEYS_UNSUPPORTED,
    SOP_CLASS_NOT_SUPPORTED,
)
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.studies.errors import QueryTooBroadError
from apps.studies.query import Query, search

DOOR = "dimse"


def find(association: Association, context: Context, command: Command) -> None:
    """Answer a C-FIND of whichever information model its context is for."""
    if context.abstract_syntax == MODALITY_WORKLIST_FIND:
        find_worklist(association, context, command)
        return
    service, root = QUERY_RETRIEVE.get(context.abstract_syntax, (None, Root.STUDY))
    if service is not Service.FIND:
        association.skip_data_set(context, command)
        association.respond(context, command, SOP_CLASS_NOT_SUPPORTED)
        return
    identifier = read_identifier(association, context, command)
    if identifier is None:
        return
    if Service.FIND not in association.admission.verbs:
        association.respond(context, command, NOT_AUTHORISED)
        return
    agreed = association.agreed(context.abstract_syntax)
    try:
        level = level_of(identifier, root)
        keys, unsupported = keys_of(identifier)
        check_hierarchy(keys, level, root, relational=agreed.relational)
        query = Query(level, keys, fuzzy=agreed.fuzzy, combined=agreed.combined)
        found = search(actor=association.actor, query=query, door=DOOR)
        if found.too_many:
            raise QueryTooBroadError
    except DomainError as error:
        refuse(association, context, command, error)
        return
    some = unsupported or found.unsupported

    def matches() -> Iterator[DataSet]:
        for row in found.rows:
            yield answer(identifier, level, row)

    answer_matches(
        association,
        context,
        command,
        matches(),
        identifier=identifier,
        pending=PENDING_OPTIONAL_KEYS_UNSUPPORTED if some else PENDING,
    )
