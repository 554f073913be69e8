"""What an administrator is told about a question put to a node: how it went, and what to do."""

from typing import Any

from django.conf import settings

from apps.accounts.models import ApplicationEntity
from apps.dimse.diagnosis import name_of
from apps.dimse.domain import Finding, Question, Unreachable
from apps.dimse.models import NodeTest
from apps.dimse.questions import (
    ANSWER_S,
    BROKEN,
    CONNECT_S,
    DAYS,
    NO_WORKER,
    NOT_ACCEPTED,
    SOP_CLASSES,
    STATUS,
)
from apps.dimse.tls_words import tls_words
from apps.dimse.upper import pdu

QUESTIONS = {
    Question.ECHO: "C-ECHO",
    Question.FIND: "C-FIND, studies of a week",
    Question.WORKLIST: "Worklist of today",
}
"""What each question is called."""

_UNREACHABLE: dict[str, Finding] = {
    Unreachable.NO_SUCH_HOST: Finding(
        "The name {host} leads nowhere",
        "Correct the address of this node, or ask who runs the name server.",
    ),
    Unreachable.REFUSED: Finding(
        "Connection refused: nothing listens at {host}:{port}",
        "Look whether DICOM is switched on at the device and whether this is its port.",
    ),
    Unreachable.NO_CONNECTION: Finding(
        "No connection to {host}:{port} within {connect} s",
        "The device is off or has another address, or a firewall between us lets nothing through.",
    ),
    Unreachable.NO_ROUTE: Finding(
        "The network does not reach {host}",
        "Correct the address of this node, or ask who runs the network. It says: {said}.",
    ),
    Unreachable.CLOSED: Finding(
        "It closed the connection before it answered",
        "Often it expects TLS, or lets known addresses in only: look at the device's own log.",
    ),
    Unreachable.SILENT: Finding(
        "It took the connection, but did not answer within {answer} s",
        "Its DICOM program hangs, or another one has this port: restart it, or correct the port.",
    ),
    Unreachable.NO_DICOM: Finding(
        "What answers at {host}:{port} is not DICOM",
        "Correct the port. If the device expects TLS there, tick “We call it over TLS”.",
    ),
    Unreachable.ABORTED: Finding(
        "It broke off while the association was being opened",
        "Look at the device's own log; this is often a licence or a limit there.",
    ),
    BROKEN: Finding(
        "The association broke before the answer came",
        "Try again; if it stays so, look at the device's own log. We noticed: {said}.",
    ),
    NO_WORKER: Finding(
        "Nobody could be told to ask",
        "The message broker does not answer: look at /readyz. It says: {said}.",
    ),
}
_REJECTED = {
    "1.1": Finding(
        "It rejected us and gave no reason",
        "Look at the device's own log: often {our} is not registered there with our address.",
    ),
    "1.3": Finding(
        "It does not know us: calling AE title {our} not recognised",
        "Register {our} at the device, with this server's address.",
    ),
    "1.7": Finding(
        "It is not called {ae}: called AE title not recognised",
        "Correct the AE title of this node; capitals count.",
    ),
    "3.1": Finding("It is busy for the moment", "Try again later."),
    "3.2": Finding(
        "It has too many associations open", "Try again later, or raise the limit at the device."
    ),
}
_REJECTED_OTHERWISE = Finding(
    "It rejected the association (reason {code})", "Look at the device's own log. {said}."
)
_NOT_ACCEPTED = {
    str(pdu.ABSTRACT_SYNTAX_NOT_SUPPORTED): Finding(
        "It takes our call, but does not offer {service}",
        "Ask another node, or switch this service on at the device.",
    ),
    str(pdu.TRANSFER_SYNTAXES_NOT_SUPPORTED): Finding(
        "It takes our call, but no transfer syntax of {service} suits it",
        "Allow Implicit or Explicit VR Little Endian for it at the device.",
    ),
}
_NOT_ACCEPTED_OTHERWISE = Finding(
    "It takes our call, but refuses {service}",
    "Allow {our} to use it at the device.",
)
_STATUSES = {
    0x0110: Finding("It failed while it worked on the answer", "Look at the device's own log."),
    0x0122: Finding("It does not support this SOP class", "Switch it on at the device."),
    0x0124: Finding("It does not allow us to ask this", "Allow it for {our} at the device."),
    0x0211: Finding("It does not know this operation", "Switch it on at the device."),
    0xA700: Finding("It has no resources left for this", "Try again later; look at its disk."),
    0xA900: Finding(
        "It says that the query does not fit its model",
        "Its maker's conformance statement says which keys it takes.",
    ),
    0xC000: Finding("It could not process the query", "Look at the device's own log."),
}


def explained(test: NodeTest) -> Finding | None:
    """Return what went wrong with an answered question; None where nothing did."""
    if not test.cause:
        return None
    entity = test.entity
    if test.cause == Unreachable.TLS:
        return tls_words(test.code, test.said)
    facts = _facts(entity, test)
    found = _finding(test)
    return Finding(found.what.format(**facts), found.todo.format(**facts))


def _facts(entity: ApplicationEntity, test: NodeTest) -> dict[str, Any]:
    return {
        "host": entity.host,
        "port": entity.port,
        "ae": entity.ae_title,
        "our": settings.ISOCENTER_AE_TITLE,
        "said": test.said.rstrip(". "),
        "code": test.code,
        "service": name_of(SOP_CLASSES[Question(test.question)]),
        "connect": f"{CONNECT_S:.0f}",
        "answer": f"{ANSWER_S:.0f}",
    }


def _finding(test: NodeTest) -> Finding:
    match test.cause:
        case Unreachable.REJECTED:
            return _REJECTED.get(test.code, _REJECTED_OTHERWISE)
        case _ if test.cause == NOT_ACCEPTED:
            return _NOT_ACCEPTED.get(test.code, _NOT_ACCEPTED_OTHERWISE)
        case _ if test.cause == STATUS:
            return _of_status(int(test.code, 16), test.said)
        case _:
            return _UNREACHABLE[test.cause]


def _of_status(status: int, comment: str) -> Finding:
    family = 0xC000 if status & 0xF000 == 0xC000 else 0xA700 if status >> 8 == 0xA7 else status
    known = _STATUSES.get(family, Finding("It failed", "Look at the device's own log."))
    told = " It says: {said}." if comment else ""
    return Finding(f"{known.what} (status {status:04X}H)", known.todo + told)


def success(test: NodeTest) -> str:
    """Say in a line what came of a question that was answered well."""
    seconds = f"{test.facts.get('seconds', 0):.2f} s"
    matches = test.facts.get("matches")
    if matches is None:
        return f"It answered in {seconds}"
    many = f"{'at least ' if test.facts.get('more') else ''}{matches}"
    if test.question == Question.WORKLIST:
        return f"It answered in {seconds}: {many} step{'' if matches == 1 else 's'} today"
    studies = "study" if matches == 1 else "studies"
    return f"It answered in {seconds}: {many} {studies} of the last {DAYS} days"
