"""Who may open an association with us, and which handler answers each request."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import DatabaseError

from apps.accounts.selectors import UnknownPeerError, actor_for_ae, actor_for_token
from apps.core.actors import Actor
from apps.dimse.sop_classes import Service, service_of
from apps.dimse.upper import pdu
from apps.dimse.upper.acceptor import Admission, AssociationRefusedError, Handler
from apps.dimse.upper.negotiation import Agreement, negotiate


@dataclass(frozen=True, slots=True)
class IsocenterProvider:
    """The acceptor of AE title `ISOCENTER_AE_TITLE`."""

    handlers: Mapping[int, Handler]

    def admit(self, request: pdu.AssociateRequest, address: str, association: str) -> Admission:
        """Return who calls, by calling AE title, or by the token in its user identity.

        A token makes the peer the token's user, within what its AE may ask.

        Raises:
            AssociationRefusedError: another AE title was called, the caller is not registered,
                or its token is not valid.
        """
        if request.called_ae != settings.ISOCENTER_AE_TITLE:
            raise AssociationRefusedError(pdu.REJECT_CALLED_AE)
        try:
            peer = actor_for_ae(request.calling_ae, address, association)
        except UnknownPeerError as error:
            raise AssociationRefusedError(pdu.REJECT_CALLING_AE) from error
        except DatabaseError as error:
            why = "the database does not answer"
            raise AssociationRefusedError(pdu.REJECT_TEMPORARY_CONGESTION, why) from error
        actor = peer.actor
        if request.user.identity is not None:
            actor = _token_actor(request.user.identity, address, association) or actor
        return Admission(actor, frozenset(verb.value for verb in peer.verbs))

    def negotiate(self, request: pdu.AssociateRequest) -> Agreement:
        """Answer the proposed contexts by `sop_classes.service_of`."""
        return negotiate(
            request,
            is_storage=lambda uid: service_of(uid) is Service.STORE,
            is_served=lambda uid: service_of(uid) is not None,
        )

    def extended(self, request: pdu.AssociateRequest) -> tuple[pdu.ExtendedNegotiation, ...]:
        """Offer no relational or fuzzy queries: what is not answered is not agreed.

        Source: PS3.4 C.5.1.1 (no item in the answer: baseline behaviour).
        """
        return ()


def _token_actor(identity: pdu.UserIdentity, address: str, association: str) -> Actor | None:
    """Return the user behind a user identity, None where it says a mere name.

    A token comes as JWT (type 5), or as the passcode beside a user name (type 2).
    """
    if identity.kind == pdu.IDENTITY_USERNAME:
        return None
    carries = {pdu.IDENTITY_PASSCODE: identity.secondary, pdu.IDENTITY_JWT: identity.primary}
    token = carries.get(identity.kind, b"").decode("utf-8", "replace").strip()
    actor = actor_for_token(token, address) if token else None
    if actor is None:
        why = "user identity not recognised"
        raise AssociationRefusedError(pdu.REJECT_NO_REASON, why)
    return replace(actor, association=association)
