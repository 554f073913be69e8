"""The C-STORE sub-operations of C-GET and C-MOVE: counts, failed instances, statuses.

Source: PS3.4 C.4.2.1 and C.4.3.1; PS3.7 9.1.3 and 9.1.4.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.dimse.data_sets import encode
from apps.dimse.statuses import (
    CANCELLED,
    CANNOT_PERFORM_SUB_OPERATIONS,
    PENDING,
    SUCCESS,
    WARNING_SUB_OPERATIONS_FAILED,
    is_warning,
)
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import EXPLICIT_LE, Context

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
PENDING_EVERY_S = 1.0


@dataclass(slots=True)
class Progress:
    """How far the sub-operations of one request have come, and its responses."""

    association: Association
    context: Context
    command: Command
    remaining: int
    completed: int = 0
    warnings: int = 0
    failed_uids: list[str] = field(default_factory=list)
    _told_at: float = field(default_factory=time.monotonic)

    def done(self, sop_instance_uid: str, status: int) -> None:
        """Count one sub-operation by the status its C-STORE was answered with."""
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif is_warning(status):
            self.warnings += 1
        else:
            self.failed_uids.append(sop_instance_uid)

    def give_up(self, sop_instance_uids: Sequence[str]) -> None:
        """Count all that remain of the whole list as failed."""
        if self.remaining:
            self.failed_uids += sop_instance_uids[-self.remaining :]
            self.remaining = 0

    def tell(self) -> None:
        """Send a pending response where the last is a second old: a long retrieve shows life."""
        if time.monotonic() - self._told_at >= PENDING_EVERY_S:
            self._respond(PENDING)
            self._told_at = time.monotonic()

    def finish(self, *, cancelled: bool = False) -> None:
        """Send the final response."""
        if cancelled and self.remaining:
            status = CANCELLED
        elif self.failed_uids and not self.completed and not self.warnings:
            status = CANNOT_PERFORM_SUB_OPERATIONS
        elif self.failed_uids or self.warnings:
            status = WARNING_SUB_OPERATIONS_FAILED
        else:
            status = SUCCESS
        self._respond(status)

    def _respond(self, status: int) -> None:
        counts: dict[int, int | str | bytes] = {
            commands.COMPLETED: self.completed,
            commands.FAILED: len(self.failed_uids),
            commands.WARNINGS: self.warnings,
        }
        if status in (PENDING, CANCELLED):
            counts[commands.REMAINING] = self.remaining
        data_set = None
        if status not in (PENDING, SUCCESS):
            data_set = encode(
                {FAILED_SOP_INSTANCE_UID_LIST: self.failed_uids},
                explicit=self.context.transfer_syntax == EXPLICIT_LE,
            )
        self.association.respond(
            self.context, self.command, status, extra=counts, data_set=data_set
        )
