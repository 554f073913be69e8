"""Which presentation contexts an acceptor accepts, and which a requestor proposes. Pure.

Source: PS3.8 7.1.1.13, PS3.7 D.3.3.4 (role selection), PS3.4 C.5.3 (C-GET).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from apps.dimse.upper import pdu

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
UNCOMPRESSED_LE = (EXPLICIT_LE, IMPLICIT_LE)
MAX_CONTEXTS = 128


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context.

    Attributes:
        we_may_send: whether we may be the SCU of its SOP class (C-GET sub-operations).
        peer_may_send: whether the peer may be.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    we_may_send: bool = False
    peer_may_send: bool = True


OPTIONS = (
    ("relational", "Relational queries or retrieval"),
    ("combined", "Combined matching of date and time ranges"),
    ("fuzzy", "Fuzzy matching of person names: each word begins some component"),
)
"""Options of extended negotiation in the order of their bytes. Source: PS3.4 C.5.1.1."""


@dataclass(frozen=True, slots=True)
class Options:
    """What extended negotiation agreed for a query or retrieve SOP class.

    Attributes:
        relational: keys of any level may be combined; levels above may be left out.
        combined: a date range with a time range is one range of moments.
        fuzzy: person names match by beginnings of words.

    Source: PS3.4 C.5.1.1 (C-FIND), C.5.2.1 (C-MOVE), C.5.3.1 (C-GET).
    """

    relational: bool = False
    combined: bool = False
    fuzzy: bool = False

    @classmethod
    def decode(cls, information: bytes) -> "Options":
        """Read the application information: a byte for each option, 1 where it is agreed."""
        agreed = zip(OPTIONS, information, strict=False)
        return cls(**{name: byte == 1 for (name, _), byte in agreed})


def agreed_options(
    asked: Iterable[pdu.ExtendedNegotiation], offered: Callable[[str], int]
) -> tuple[pdu.ExtendedNegotiation, ...]:
    """Answer extended negotiation: 1 for each option that is asked for and offered, else 0.

    An item that is not answered means the baseline. Timezone adjustment and conversion to enhanced
    multi-frame images are not offered.

    Args:
        asked: the items of the request.
        offered: gives how many options, counted from the first, a SOP class has; 0 for those that
            have no extended negotiation here.
    """
    return tuple(
        pdu.ExtendedNegotiation(
            item.sop_class_uid,
            bytes(byte == 1 and index < count for index, byte in enumerate(item.information)),
        )
        for item in asked
        if (count := offered(item.sop_class_uid))
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an acceptor answers."""

    results: tuple[pdu.ContextResult, ...]
    contexts: dict[int, Context]
    roles: tuple[pdu.RoleSelection, ...]


def negotiate(
    request: pdu.AssociateRequest,
    *,
    is_storage: Callable[[str], bool],
    is_served: Callable[[str], bool],
) -> Agreement:
    """Answer every proposed context.

    Storage takes any transfer syntax: the first proposed, save that explicit VR goes before
    implicit VR, which would lose the VR of private elements. Where we shall send (C-GET) a
    context that mixes syntaxes is accepted uncompressed, since only that can carry every object,
    unless another context of the class is uncompressed already. Everything else speaks
    uncompressed little endian.

    Args:
        request: what came.
        is_storage: whether an abstract syntax is kept as an object, in any transfer syntax.
        is_served: whether it is another service of ours.
    """
    asked = {role.sop_class_uid: role for role in request.user.roles}
    uncompressed_elsewhere = {
        context.abstract_syntax
        for context in request.contexts
        if set(context.transfer_syntaxes) <= {*UNCOMPRESSED_LE, EXPLICIT_BE}
    }
    results: list[pdu.ContextResult] = []
    contexts: dict[int, Context] = {}
    for proposed in request.contexts:
        abstract, offered = proposed.abstract_syntax, proposed.transfer_syntaxes
        storage = is_storage(abstract)
        if proposed.context_id % 2 == 0 or not (storage or is_served(abstract)):
            result = pdu.ABSTRACT_SYNTAX_NOT_SUPPORTED
            results.append(pdu.ContextResult(proposed.context_id, result, (*offered, "")[0]))
            continue
        role = asked.get(abstract)
        we_send = storage and role is not None and role.scp
        if storage and not (we_send and abstract not in uncompressed_elsewhere):
            chosen = _first(offered)
        else:
            chosen = _uncompressed(offered) or (_first(offered) if storage else "")
        if not chosen:
            result = pdu.TRANSFER_SYNTAXES_NOT_SUPPORTED
            results.append(pdu.ContextResult(proposed.context_id, result, (*offered, "")[0]))
            continue
        results.append(pdu.ContextResult(proposed.context_id, pdu.ACCEPTED, chosen))
        contexts[proposed.context_id] = Context(
            proposed.context_id, abstract, chosen, we_send, role is None or role.scu
        )
    roles = tuple(
        pdu.RoleSelection(uid, role.scu, role.scp) for uid, role in asked.items() if is_storage(uid)
    )
    return Agreement(tuple(results), contexts, roles)


def _uncompressed(offered: Sequence[str]) -> str:
    return next((syntax for syntax in UNCOMPRESSED_LE if syntax in offered), "")


def _first(offered: Sequence[str]) -> str:
    first = next((syntax for syntax in offered if syntax), "")
    return EXPLICIT_LE if first == IMPLICIT_LE and EXPLICIT_LE in offered else first


def contexts_to_send(objects: Iterable[tuple[str, str]]) -> tuple[pdu.ProposedContext, ...]:
    """Return contexts that let a peer take each object as stored, or uncompressed.

    One context for each SOP class with each stored syntax, and one for each class with the
    uncompressed ones; where more than 128 would be needed, the uncompressed ones come first,
    so that every class can be sent in some form.

    Args:
        objects: (SOP class, stored transfer syntax) of what is to be sent.
    """
    pairs = dict.fromkeys(objects)
    fallback = dict.fromkeys((sop_class, UNCOMPRESSED_LE) for sop_class, _ in pairs)
    exact = [(sop_class, (syntax,)) for sop_class, syntax in pairs]
    wanted: list[tuple[str, tuple[str, ...]]] = [*fallback, *exact]
    return tuple(
        pdu.ProposedContext(2 * index + 1, abstract, syntaxes)
        for index, (abstract, syntaxes) in enumerate(wanted[:MAX_CONTEXTS])
    )


def context_for(contexts: Iterable[Context], sop_class: str, stored_syntax: str) -> Context | None:
    """Return the context to send an object in: as stored, else uncompressed, else None."""
    usable = {
        context.transfer_syntax: context
        for context in contexts
        if context.abstract_syntax == sop_class and context.we_may_send
    }
    wanted = (stored_syntax, *UNCOMPRESSED_LE)
    return next((usable[syntax] for syntax in wanted if syntax in usable), None)
