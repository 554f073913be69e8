"""Errors that reach a person or a peer. Each edge maps `code` to its protocol's answer."""


class DomainError(Exception):
    """A refusal by a rule. Subclasses live beside the service that raises them.

    Attributes:
        code: dotted and stable, `scheduling.slot-taken`; edges map it.
        message: words the reader can act on; never names what the actor may not see.
    """

    code = "core.error"
    message = "The request could not be carried out."

    def __init__(self, message: str | None = None, **details: object) -> None:
        self.message = message or self.message
        self.details = details
        super().__init__(self.message)


class NotFoundError(DomainError):
    """Absent, or hidden from the actor: the two look the same."""

    code = "core.not-found"
    message = "Nothing here by that name, or it is not yours to see."


class NotPermittedError(DomainError):
    """The actor's role does not include this action at all."""

    code = "core.not-permitted"
    message = "Your role does not include this."


class InvalidInputError(DomainError):
    """A value is missing or wrong; `details` names the fields."""

    code = "core.invalid"
    message = "A value is missing or wrong."


class TransitionNotAllowedError(DomainError):
    """The state machine has no such step from the present state."""

    code = "core.transition-not-allowed"


class ConflictError(DomainError):
    """Somebody else changed it first."""

    code = "core.conflict"
    message = "This was changed by someone else in the meantime. Look again, then repeat."
