"""What answers each DIMSE request: parse, call a command or selector, map the result."""

from apps.dimse.scp.storage import store
from apps.dimse.scp.verification import echo
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Handler

HANDLERS: dict[int, Handler] = {
    commands.C_ECHO_RQ: echo,
    commands.C_STORE_RQ: store,
}
