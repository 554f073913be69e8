"""A listener inside the test process, for what needs no database."""

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apps.core.actors import system_actor
from apps.core.certificates import Certificate
from apps.dimse import sop_classes
from apps.dimse.listener import Crew
from apps.dimse.upper import pdu
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.negotiation import Agreement, negotiate
from apps.dimse.upper.provider import Admission, Handler, Limits, Provider, Record
from apps.dimse.upper.tls import OurTls

QUICK = Limits(artim_s=1.0, message_s=1.0, idle_s=2.0)


@dataclass
class OpenProvider:
    """Admits everyone; the handlers are the test's."""

    handlers: Mapping[int, Handler]
    refuse: Callable[[pdu.AssociateRequest], None] = lambda request: None
    admitted: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def admit(
        self,
        request: pdu.AssociateRequest,
        address: str,
        association: str,
        certificate: Certificate | None,
    ) -> Admission:
        self.refuse(request)
        self.admitted.append(request.calling_ae)
        return Admission(system_actor("test"), frozenset(sop_classes.Service))

    def negotiate(self, request: pdu.AssociateRequest) -> Agreement:
        return negotiate(
            request,
            is_storage=lambda uid: sop_classes.service_of(uid) is sop_classes.Service.STORE,
            is_served=lambda uid: sop_classes.service_of(uid) is not None,
        )

    def extended(self, request: pdu.AssociateRequest) -> tuple[pdu.ExtendedNegotiation, ...]:
        return ()

    def ended(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        pass


class Server:
    """Accepts on a free port of loopback, in threads of this process."""

    def __init__(
        self,
        provider: Provider,
        limits: Limits = QUICK,
        most: int = 8,
        tls: OurTls | None = None,
    ) -> None:
        self.provider = provider
        self.limits = limits
        self.tls = tls
        self.crew = Crew(max_associations=most, before=lambda: None)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self.socket.accept()
            except OSError:
                return
            self.crew.take(sock, address[0], self.provider, self.limits, self.tls)

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)
        self.crew.drain(5)
        self.provider.close()

    def active(self) -> set[Association]:
        return set(self.crew._active)
