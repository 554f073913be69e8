"""What answers each DIMSE request: parse, call a command or selector, map the result."""

from apps.dimse.scp.commitment import request_commitment
from apps.dimse.scp.performed_steps import change, create
from apps.dimse.scp.query import find
from apps.dimse.scp.retrieve import get, move
from apps.dimse.scp.storage import store
from apps.dimse.scp.verification import echo
from apps.dimse.upper import commands
from apps.dimse.upper.provider import Handler

HANDLERS: dict[int, Handler] = {
    commands.C_ECHO_RQ: echo,
    commands.C_STORE_RQ: store,
    commands.C_FIND_RQ: find,
    commands.C_GET_RQ: get,
    commands.C_MOVE_RQ: move,
    commands.N_CREATE_RQ: create,
    commands.N_SET_RQ: change,
    commands.N_ACTION_RQ: request_commitment,
}
