"""From a rule's refusal to an acknowledgement: the one table of this edge.

AE: the message's content is the reason, the same message will fail again. AR: the reason lies
outside of it. Source: HL7 v2.5.1 2.9.2.2, tables 0008 and 0357.
"""

from apps.core.errors import DomainError
from apps.hl7.domain.acknowledgement import AckCode, ErrorCode

ANSWERS: dict[str, tuple[AckCode, ErrorCode]] = {
    "core.error": (AckCode.ERROR, ErrorCode.INTERNAL),
    "core.not-found": (AckCode.ERROR, ErrorCode.UNKNOWN_KEY),
    "core.not-permitted": (AckCode.REJECT, ErrorCode.INTERNAL),
    "core.invalid": (AckCode.ERROR, ErrorCode.DATA_TYPE),
    "core.transition-not-allowed": (AckCode.ERROR, ErrorCode.INTERNAL),
    "core.conflict": (AckCode.REJECT, ErrorCode.LOCKED),
    "accounts.unknown-peer": (AckCode.REJECT, ErrorCode.TABLE_VALUE),
    "accounts.tls-required": (AckCode.REJECT, ErrorCode.TABLE_VALUE),
    "accounts.other-certificate": (AckCode.REJECT, ErrorCode.TABLE_VALUE),
    "patients.identifier-conflict": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
    "patients.merge-refused": (AckCode.ERROR, ErrorCode.INTERNAL),
    "orders.placer-number-taken": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
    "orders.accession-taken": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
    "orders.order-closed": (AckCode.ERROR, ErrorCode.INTERNAL),
    "scheduling.slot-taken": (AckCode.REJECT, ErrorCode.LOCKED),
    "scheduling.in-the-past": (AckCode.ERROR, ErrorCode.DATA_TYPE),
    "scheduling.room-closed": (AckCode.ERROR, ErrorCode.DATA_TYPE),
    "scheduling.wrong-modality": (AckCode.ERROR, ErrorCode.DATA_TYPE),
    "scheduling.order-not-schedulable": (AckCode.ERROR, ErrorCode.INTERNAL),
    "scheduling.already-booked": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
    "scheduling.step-begun": (AckCode.ERROR, ErrorCode.INTERNAL),
    "scheduling.nothing-to-undo": (AckCode.ERROR, ErrorCode.INTERNAL),
    "hl7.unknown-order": (AckCode.ERROR, ErrorCode.UNKNOWN_KEY),
    "hl7.other-patient": (AckCode.ERROR, ErrorCode.UNKNOWN_KEY),
    "hl7.order-control": (AckCode.ERROR, ErrorCode.TABLE_VALUE),
    "hl7.control-id-reused": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
    "hl7.message-settled": (AckCode.ERROR, ErrorCode.DUPLICATE_KEY),
}


class UnknownOrderError(DomainError):
    """The message names an order that is not here."""

    code = "hl7.unknown-order"
    message = "No order of this placer, filler or accession number is here."


class OtherPatientError(DomainError):
    """The order is here, but for somebody else."""

    code = "hl7.other-patient"
    message = "The order of this number is for another patient; nothing was changed."


class OrderControlError(DomainError):
    """ORC-1 asks for something that is not done here."""

    code = "hl7.order-control"


class ControlIdReusedError(DomainError):
    """MSH-10 stood for another message of the same sender."""

    code = "hl7.control-id-reused"
    message = "This MSH-10 came before with another content; nothing was changed. Use a new one."


class MessageSettledError(DomainError):
    """The message was accepted already, so there is nothing to do again."""

    code = "hl7.message-settled"
    message = "This message was accepted already."


def answer_for(error: DomainError) -> tuple[AckCode, ErrorCode]:
    """Return how a refusal is acknowledged."""
    return ANSWERS.get(error.code, (AckCode.ERROR, ErrorCode.INTERNAL))
