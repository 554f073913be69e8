"""Commands of the HL7 edge: keep a message, process it, process it again."""

import datetime
import hashlib

from django.db import connection, transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.accounts.selectors import UnknownPeerError, actor_for_hl7, main_site
from apps.audit.models import Outcome
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor, ActorKind
from apps.core.errors import DomainError, NotFoundError
from apps.core.steps import savepoint
from apps.hl7 import audit_events, steps
from apps.hl7.domain.acknowledgement import AckCode, ErrorCode, Problem, build_ack
from apps.hl7.domain.charsets import CharsetError, decode
from apps.hl7.domain.inbound import FieldError
from apps.hl7.domain.message import Message, MessageError, header_of, parse
from apps.hl7.errors import ControlIdReusedError, MessageSettledError, answer_for
from apps.hl7.models import Hl7Attention, Hl7Message
from apps.hl7.selectors import ATTENTION_FIELDS

REFUSED = "message-refused"


@transaction.atomic(durable=True)
def message_keep(*, raw: bytes, address: str, at: datetime.datetime) -> int:
    """Keep a message as it came, before anything is made of it; return its primary key."""
    row = Hl7Message(received_at=at, address=address[:100], raw=raw)
    row.digest = hashlib.sha256(raw).hexdigest()
    row.save(force_insert=True)
    return row.pk


@transaction.atomic(durable=True)
def message_process(*, message_id: int, at: datetime.datetime) -> bytes:
    """Do what a kept message says and return its acknowledgement.

    Idempotent per sending application, sending facility and MSH-10: the same message again gets the
    acknowledgement that the first one got, and has no second effect. All of a message
    takes effect, or nothing of it.

    Returns:
        The acknowledgement's bytes, kept with the message in the same transaction.
    """
    row = Hl7Message.objects.select_for_update().get(pk=message_id)
    return _process(row, at)


@transaction.atomic(durable=True)
def message_fail(*, message_id: int, words: str, at: datetime.datetime) -> bytes:
    """Note that processing broke down on our side; the sender may send again. Returns an AR."""
    row = Hl7Message.objects.select_for_update().get(pk=message_id)
    problem = Problem(ErrorCode.INTERNAL, words)
    return _settle(row, header_of(bytes(row.raw)), AckCode.REJECT, (problem,), at)


@transaction.atomic(durable=True)
def message_replay(*, actor: Actor, message_id: int, at: datetime.datetime) -> Hl7Message:
    """Process a refused message again, after what stood in its way was mended.

    It acts as its sender did; the sender gets no second acknowledgement.

    Raises:
        NotFoundError: no such message of a sender at the actor's sites.
        MessageSettledError: it was accepted already.
    """
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    row = (
        Hl7Message.objects.select_for_update(of=("self",))
        .filter(
            pk__in=Hl7Attention.objects.filter(
                policy.visible(actor, Permission.ATTENTION_RESOLVE, ATTENTION_FIELDS)
            ).values("message"),
            pk=message_id,
        )
        .first()
    )
    if row is None:
        raise NotFoundError(hl7_message=message_id)
    if row.outcome == Hl7Message.Outcome.ACCEPTED:
        raise MessageSettledError
    record(actor=actor, event=audit_events.REPLAYED, door="page", key=f"hl7-message:{row.pk}")
    _process(row, at)
    return row


def message_readable(message: Hl7Message) -> str:
    """Return a kept message as text to look at, one segment a line."""
    raw = bytes(message.raw)
    try:
        text = decode(raw).text
    except CharsetError:
        text = raw.decode("ascii", "backslashreplace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _process(row: Hl7Message, at: datetime.datetime) -> bytes:
    row.attempts += 1
    try:
        message = parse(bytes(row.raw))
    except MessageError as error:
        problem = Problem(ErrorCode.SEGMENT_SEQUENCE, str(error), ("MSH", 1, 0))
        return _unreadable(row, problem, at)
    except CharsetError as error:
        return _unreadable(row, Problem(ErrorCode.TABLE_VALUE, str(error), ("MSH", 1, 18)), at)
    _note_header(row, message)
    if (refusal := _header_problem(message)) is not None:
        code, problem = refusal
        return _settle(row, message, code, (problem,), at)
    _lock_sender(row)
    if (earlier := _earlier(row)) is not None:
        return _repeat(row, message, earlier, at)
    try:
        actor, peer = actor_for_hl7(row.sending_application, row.sending_facility, row.address)
    except UnknownPeerError as error:
        stranger = Actor(ActorKind.INTERFACE, f"hl7:{row.sending_application}"[:100], "unknown")
        _audit_refusal(row, stranger, error.message)
        return _settle(row, message, *_refusal(error, ("MSH", 1, 3)), at)
    row.peer = peer
    if peer is not None and peer.charset:
        message = parse(bytes(row.raw), default_charset=peer.charset)
        row.charset = message.charset
    site = peer.site if peer else main_site()
    work = steps.Work(message=message, actor=actor, peer=peer, site=site, at=at)
    return _apply(row, work)


def _unreadable(row: Hl7Message, problem: Problem, at: datetime.datetime) -> bytes:
    header = header_of(bytes(row.raw))
    if header is not None:
        _note_header(row, header)
    return _settle(row, header, AckCode.REJECT, (problem,), at)


def _apply(row: Hl7Message, work: steps.Work) -> bytes:
    """Take the steps of the message, all or none, and settle it."""
    message, at = work.message, work.at
    code = AckCode.ERROR
    problems: tuple[Problem, ...]
    try:
        with savepoint():
            steps.EVENTS[message.message_code, message.trigger_event](work)
    except FieldError as error:
        error_code = ErrorCode.REQUIRED_FIELD if error.missing else ErrorCode.DATA_TYPE
        problems = (Problem(error_code, error.words, (error.segment, 1, error.number)),)
    except DomainError as error:
        code, problems = _refusal(error, None)
    else:
        row.effects = work.effects
        _close_refusals(row, at)
        return _settle(row, message, AckCode.ACCEPT, tuple(work.warnings), at)
    _refuse(row, work.actor, work.site, problems[0].words, at)
    return _settle(row, message, code, problems, at)


def _note_header(row: Hl7Message, message: Message) -> None:
    row.sending_application = message.sending_application[:180]
    row.sending_facility = message.sending_facility[:180]
    row.message_type = f"{message.message_code}^{message.trigger_event}"[:20]
    row.control_id = message.control_id[:199]
    row.version = message.version[:12]
    row.charset = message.charset[:40]


def _header_problem(message: Message) -> tuple[AckCode, Problem] | None:
    """Find what makes a message impossible to take, before its sender is asked about."""
    code, event = message.message_code, message.trigger_event
    if not message.control_id:
        problem = Problem(ErrorCode.REQUIRED_FIELD, "MSH-10 is empty", ("MSH", 1, 10))
        return AckCode.ERROR, problem
    if not message.version.startswith("2."):
        words = f"MSH-12 {message.version!r}: version 2.x is taken here"
        return AckCode.REJECT, Problem(ErrorCode.UNSUPPORTED_VERSION, words, ("MSH", 1, 12))
    if code not in {known for known, _ in steps.EVENTS}:
        words = f"MSH-9 {code!r} is not taken here; taken are ADT and ORM"
        return AckCode.REJECT, Problem(ErrorCode.UNSUPPORTED_MESSAGE, words, ("MSH", 1, 9))
    if (code, event) not in steps.EVENTS:
        known = ", ".join(sorted(known for kind, known in steps.EVENTS if kind == code))
        words = f"MSH-9 {code}^{event} is not taken here; of {code} taken are {known}"
        return AckCode.REJECT, Problem(ErrorCode.UNSUPPORTED_EVENT, words, ("MSH", 1, 9))
    return None


def _lock_sender(row: Hl7Message) -> None:
    """Let receptions of one control id wait for one another, until this transaction ends."""
    key = "\x1f".join(("hl7", row.sending_application, row.sending_facility, row.control_id))
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def _earlier(row: Hl7Message) -> Hl7Message | None:
    """Return the message that had the effect of this control id."""
    return (
        Hl7Message.objects.filter(
            sending_application=row.sending_application,
            sending_facility=row.sending_facility,
            control_id=row.control_id,
            outcome=Hl7Message.Outcome.ACCEPTED,
            repeat_of=None,
        )
        .exclude(pk=row.pk)
        .first()
    )


def _repeat(row: Hl7Message, message: Message, earlier: Hl7Message, at: datetime.datetime) -> bytes:
    if row.digest != earlier.digest:
        return _settle(row, message, *_refusal(ControlIdReusedError(), ("MSH", 1, 10)), at)
    row.repeat_of = earlier
    row.outcome, row.reason = Hl7Message.Outcome.ACCEPTED, f"the same as message {earlier.pk}"
    row.acknowledgement = bytes(earlier.acknowledgement)
    row.processed_at = at
    row.save()
    return bytes(row.acknowledgement)


def _refusal(
    error: DomainError, location: tuple[str, int, int] | None
) -> tuple[AckCode, tuple[Problem, ...]]:
    code, error_code = answer_for(error)
    return code, (Problem(error_code, error.message, location, application_code=error.code),)


def _refuse(row: Hl7Message, actor: Actor, site: Site, words: str, at: datetime.datetime) -> None:
    """Open the item that shows a person a refused message of a known sender."""
    _audit_refusal(row, actor, words)
    if row.peer is None:
        return
    key = _item_key(row)
    item, created = Hl7Attention.objects.get_or_create(
        kind=REFUSED,
        key=key,
        resolved_at=None,
        defaults={"site": site, "summary": words[:300], "opened_at": at, "message": row},
    )
    if not created:
        item.summary, item.message = words[:300], row
        item.save(update_fields=["summary", "message"])
    live.notify(live.ATTENTION)


def _close_refusals(row: Hl7Message, at: datetime.datetime) -> None:
    closed = Hl7Attention.objects.filter(kind=REFUSED, key=_item_key(row), resolved_at=None).update(
        resolved_at=at, resolved_by="system", resolution="The message was accepted"
    )
    if closed:
        live.notify(live.ATTENTION)


def _item_key(row: Hl7Message) -> str:
    return "|".join((row.sending_application, row.sending_facility, row.control_id))[:200]


def _audit_refusal(row: Hl7Message, actor: Actor, words: str) -> None:
    record(
        actor=actor,
        event=audit_events.REFUSED,
        door="hl7",
        outcome=Outcome.MINOR_FAILURE,
        key=f"hl7-message:{row.pk}",
        type=row.message_type,
        reason=words,
    )


def _settle(
    row: Hl7Message,
    message: Message | None,
    code: AckCode,
    problems: tuple[Problem, ...],
    at: datetime.datetime,
) -> bytes:
    row.outcome = code.value
    row.reason = "; ".join(problem.words for problem in problems)[:500]
    row.processed_at = at
    row.acknowledgement = build_ack(
        code, message=message, at=at, control_id=f"A{row.pk}.{row.attempts}", problems=problems
    )
    row.save()
    return bytes(row.acknowledgement)
