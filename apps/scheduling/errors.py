"""What scheduling refuses, and why."""

from apps.core.errors import DomainError


class SlotTakenError(DomainError):
    """Somebody else has the room at that time."""

    code = "scheduling.slot-taken"
    message = "This time was taken in the meantime. Choose another."


class InThePastError(DomainError):
    """The time is over."""

    code = "scheduling.in-the-past"
    message = "This time has passed. Choose one from now on."


class RoomClosedError(DomainError):
    """The room is not open for all of that time."""

    code = "scheduling.room-closed"
    message = "The room is not open for all of that time."


class WrongModalityError(DomainError):
    """The room has no scanner for this exam."""

    code = "scheduling.wrong-modality"
    message = "This room cannot do this exam."


class NotSchedulableError(DomainError):
    """The order is not at the point where it can be booked."""

    code = "scheduling.order-not-schedulable"
    message = "This order cannot be booked as it stands."


class AlreadyBookedError(DomainError):
    """The exam has an appointment."""

    code = "scheduling.already-booked"
    message = "This exam has an appointment already. Move that one."


class StepBegunError(DomainError):
    """The exam has begun: it can be stopped, not cancelled."""

    code = "scheduling.step-begun"
    message = "This exam has begun. It can be stopped early, not cancelled or moved."


class NothingToUndoError(DomainError):
    """What was to be taken back is no longer the last thing done."""

    code = "scheduling.nothing-to-undo"
    message = "Something else happened since, so this cannot be taken back."
