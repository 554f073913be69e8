"""C-FIND of the modality worklist.

Source: PS3.4 Annex K.
"""

from apps.core import clock
from apps.core.errors import DomainError
from apps.dimse.data_sets import SPECIFIC_CHARACTER_SET, DataSetError
from apps.dimse.scp.answers import answer_matches, refuse
from apps.dimse.scp.pydicom_sets import from_pydicom, to_pydicom
from apps.dimse.sop_classes import Service
from apps.dimse.statuses import (
    CANNOT_UNDERSTAND,
    NOT_AUTHORISED,
    PENDING,
    PENDING_OPTIONAL_KEYS_UNSUPPORTED,
)
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context
from apps.worklists.modality.items import unsupported_keys
from apps.worklists.selectors import modality_worklist


def find_worklist(association: Association, context: Context, command: Command) -> None:
    """Answer with the scheduled steps that match."""
    raw = association.read_data_set(context, command)
    if Service.WORKLIST not in association.admission.verbs:
        association.respond(context, command, NOT_AUTHORISED)
        return
    try:
        query = to_pydicom(raw, context.transfer_syntax)
    except DataSetError as error:
        association.respond(context, command, CANNOT_UNDERSTAND, comment=str(error))
        return
    try:
        found = modality_worklist(actor=association.actor, query=query, at=clock.now())
    except DomainError as error:
        refuse(association, context, command, error)
        return
    asked = query.get("SpecificCharacterSet", "")
    terms = "\\".join(asked) if isinstance(asked, (list, tuple)) else str(asked or "")
    answer_matches(
        association,
        context,
        command,
        (from_pydicom(one) for one in found),
        identifier={SPECIFIC_CHARACTER_SET: terms},
        pending=PENDING_OPTIONAL_KEYS_UNSUPPORTED if unsupported_keys(query) else PENDING,
    )
