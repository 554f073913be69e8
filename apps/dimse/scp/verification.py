"""C-ECHO. Source: PS3.4 Annex A."""

from apps.dimse.sop_classes import Service
from apps.dimse.statuses import NOT_AUTHORISED, SUCCESS
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Context


def echo(association: Association, context: Context, command: Command) -> None:
    """Answer that we are there."""
    association.skip_data_set(context, command)
    allowed = Service.ECHO in association.admission.verbs
    association.respond(context, command, SUCCESS if allowed else NOT_AUTHORISED)
