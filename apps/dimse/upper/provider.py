"""What an association asks of those above it, and what it leaves: provider, limits, record."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from apps.core.actors import Actor
from apps.core.certificates import Certificate
from apps.dimse.domain import End
from apps.dimse.upper import pdu
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import Agreement, Context

if TYPE_CHECKING:
    from apps.dimse.upper.acceptor import Association


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may take, in seconds, and how much we let it send at once.

    Attributes:
        artim_s: to ask for an association.
        message_s: within a message.
        handshake_s: for TLS.
        idle_s: between messages.
        crowded_idle_s: between messages, while others find no room.
    """

    artim_s: float = 30.0
    handshake_s: float = 10.0
    message_s: float = 60.0
    idle_s: float = 600.0
    crowded_idle_s: float = 30.0
    max_pdu_bytes: int = 1024 * 1024
    max_identifier_bytes: int = 16 * 1024 * 1024


class AssociationRefusedError(Exception):
    """The provider does not want this peer.

    Attributes:
        rejection: what the peer is told.
        code: what the record is told: `source.reason`, with a cause where that is not enough.
    """

    def __init__(self, rejection: pdu.Rejection, why: str = "", code: str = "") -> None:
        self.rejection = rejection
        self.code = code or f"{rejection.source}.{rejection.reason}"
        super().__init__(why or rejection.words)


@dataclass(frozen=True, slots=True)
class Admission:
    """Who the peer is, and which services (`sop_classes.Service`) it may use.

    Attributes:
        identified: the user identity that came was proved, and the peer is that user.
    """

    actor: Actor
    verbs: frozenset[str]
    identified: bool = False


class Provider(Protocol):
    """What stands above an association: who may open it, and what each message does."""

    def admit(
        self,
        request: pdu.AssociateRequest,
        address: str,
        association: str,
        certificate: Certificate | None,
    ) -> Admission:
        """Return who the peer is and what it may ask.

        Args:
            request: what it says.
            address: where it calls from.
            association: our number of it.
            certificate: what it proved over TLS; None at the plain port.

        Raises:
            AssociationRefusedError: it may not open an association.
        """
        ...

    def negotiate(self, request: pdu.AssociateRequest) -> Agreement:
        """Answer the proposed contexts."""
        ...

    def extended(self, request: pdu.AssociateRequest) -> tuple[pdu.ExtendedNegotiation, ...]:
        """Answer the service classes' extended negotiation."""
        ...

    def ended(self, record: "Record") -> None:
        """Take down how an association went; must not wait."""
        ...

    def close(self) -> None:
        """Finish what is to be written down; called once, when the process ends in order."""
        ...

    @property
    def handlers(self) -> Mapping[int, "Handler"]:
        """By Command Field, what answers a request."""
        ...


Handler = Callable[["Association", Context, Command], None]


@dataclass(slots=True)
class Record:
    """What is written down about an association, without anything of a patient."""

    association: str
    address: str
    calling_ae: str = ""
    called_ae: str = ""
    actor: str = ""
    implementation: str = ""
    contexts: list[tuple[int, str, tuple[str, ...], int, str]] = field(default_factory=list)
    """Number, abstract syntax, transfer syntaxes, result and the accepted one of each proposed."""
    messages: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    outcome: str = ""
    end: End = End.ABORTED_BY_US
    rejection: str = ""
    in_message: bool = False
    tls: dict[str, str] = field(default_factory=dict)
    """Protocol and the peer's certificate; empty at the plain port."""
