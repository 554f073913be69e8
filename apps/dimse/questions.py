"""What a node can be asked to see whether it answers: C-ECHO, a study query, its worklist.

Nothing of a patient is kept: matches are counted, not read.

Source: PS3.4 A (verification), C.4.1 (query), K (modality worklist).
"""

import datetime
import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.accounts.models import ApplicationEntity
from apps.dimse.certificates import peer_tls
from apps.dimse.data_sets import DataSet, encode
from apps.dimse.domain import Question, TlsFault
from apps.dimse.sop_classes import MODALITY_WORKLIST_FIND, VERIFICATION
from apps.dimse.statuses import CANCELLED, SUCCESS
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.commands import Command, CommandError
from apps.dimse.upper.negotiation import EXPLICIT_LE, UNCOMPRESSED_LE
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor
from apps.dimse.upper.tls import look
from apps.dimse.upper.tls_wire import TlsWire
from apps.dimse.upper.wire import WireError

CONNECT_S, ANSWER_S = 8.0, 20.0
MOST_MATCHES = 200
DAYS = 7
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
SOP_CLASSES = {
    Question.ECHO: VERIFICATION,
    Question.FIND: STUDY_ROOT_FIND,
    Question.WORKLIST: MODALITY_WORKLIST_FIND,
}
NOT_ACCEPTED, STATUS, BROKEN, NO_WORKER = "not-accepted", "status", "broken", "no-worker"
"""Causes of a failure beside those of `Unreachable`."""
_LOOKED_AT = frozenset(TlsFault) - {
    TlsFault.NOT_TLS,
    TlsFault.OURS_REFUSED,
    TlsFault.CLOSED_AFTER,
    TlsFault.NOTHING_COMMON,
    TlsFault.BROKEN,
    TlsFault.NOT_SET_UP,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        cause: of a failure: an `Unreachable`, or one of the above; empty where all is well.
        code: of a rejection `source.reason`, of TLS a `TlsFault`, of a status its number.
        said: what was noticed, or the peer's own error comment.
        facts: `seconds`, `program`, `tls`, `certificate`, `matches`, `more`.
    """

    cause: str = ""
    code: str = ""
    said: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def ask(entity: ApplicationEntity, question: Question, today: datetime.date) -> Answer:
    """Open an association with a node, ask, and say what came of it; never raises for the peer."""
    began = time.monotonic()
    facts: dict[str, Any] = {}
    try:
        answer = _asked(entity, question, today, facts)
    except PeerUnreachableError as error:
        shown = error.certificate
        if shown is None and error.code in _LOOKED_AT:
            shown = look(entity.host, entity.port, CONNECT_S)
        if shown is not None:
            facts["certificate"] = shown.as_dict()
        prefix = f"{entity.ae_title} at {entity.host}:{entity.port}: "
        said = str(error).removeprefix(prefix).removeprefix("TLS: ")
        answer = Answer(error.cause, error.code, said, facts)
    except (WireError, CommandError, pdu.PduError) as error:
        answer = Answer(BROKEN, "", str(error), facts)
    facts["seconds"] = round(time.monotonic() - began, 3)
    return answer


def _asked(
    entity: ApplicationEntity, question: Question, today: datetime.date, facts: dict[str, Any]
) -> Answer:
    context = pdu.ProposedContext(1, SOP_CLASSES[question], UNCOMPRESSED_LE)
    with Requestor.open(
        host=entity.host,
        port=entity.port,
        called_ae=entity.ae_title,
        calling_ae=settings.ISOCENTER_AE_TITLE,
        contexts=[context],
        tls=peer_tls(entity),
        connect_s=CONNECT_S,
        answer_s=ANSWER_S,
    ) as peer:
        facts["program"] = peer.program
        if isinstance(peer.wire, TlsWire):
            facts["tls"] = peer.wire.protocol
            if peer.wire.certificate:
                facts["certificate"] = peer.wire.certificate.as_dict()
        accepted = peer.contexts.get(1)
        if accepted is None:
            return Answer(NOT_ACCEPTED, str(peer.results.get(1, "")), "", facts)
        if question is Question.ECHO:
            last = peer.ask_echo(accepted)
        else:
            explicit = accepted.transfer_syntax == EXPLICIT_LE
            identifier = encode(_identifier(question, today), explicit=explicit)
            last, matches = peer.find(accepted, identifier, most=MOST_MATCHES)
            facts["matches"] = min(matches, MOST_MATCHES)
            facts["more"] = matches > MOST_MATCHES or last.status == CANCELLED
        return _of_status(last, facts)


def _of_status(last: Command, facts: dict[str, Any]) -> Answer:
    if last.status in (SUCCESS, CANCELLED):
        return Answer(facts=facts)
    comment = last.text(commands.ERROR_COMMENT)
    return Answer(STATUS, f"{max(last.status, 0):04X}", comment, facts)


def _identifier(question: Question, today: datetime.date) -> DataSet:
    if question is Question.WORKLIST:
        step = {0x00400001: "", 0x00400002: f"{today:%Y%m%d}", 0x00080060: "", 0x00400009: ""}
        return {0x0020000D: "", 0x00400100: [dict(sorted(step.items()))]}
    first = today - datetime.timedelta(days=DAYS - 1)
    return {
        0x00080020: f"{first:%Y%m%d}-{today:%Y%m%d}",
        0x00080052: "STUDY",
        0x0020000D: "",
    }
