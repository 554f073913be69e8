"""What performed steps are refused for. The DIMSE edge maps the codes as noted."""

from apps.core.errors import DomainError


class MissingAttributeError(DomainError):
    """A required attribute is not there: 0120H."""

    code = "worklists.mpps-missing-attribute"


class MissingValueError(DomainError):
    """A required attribute is empty: 0121H."""

    code = "worklists.mpps-missing-value"


class InvalidValueError(DomainError):
    """An attribute has a value that is not allowed there: 0106H."""

    code = "worklists.mpps-invalid-value"


class DuplicateStepError(DomainError):
    """The SOP Instance UID is taken: 0111H."""

    code = "worklists.mpps-duplicate"
    message = "A performed step with this SOP Instance UID is here already."


class UnknownStepError(DomainError):
    """No such SOP instance, or none of the sender's: 0112H."""

    code = "worklists.mpps-unknown"
    message = "No performed step has this SOP Instance UID."


class FinalStepError(DomainError):
    """It was completed or discontinued: 0110H, Error ID A710H (PS3.4 F.7.2.2.2)."""

    code = "worklists.mpps-final"
    message = "Performed Procedure Step Object may no longer be updated"


class NotUndoableError(DomainError):
    """What was to be taken back was done by the scanner, or is no longer the last thing done."""

    code = "worklists.nothing-to-undo"
    message = "This cannot be taken back: the scanner or somebody else has moved the exam on."
