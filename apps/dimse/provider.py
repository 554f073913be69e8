"""Who may open an association with us, and which handler answers each request."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import DatabaseError

from apps.accounts.selectors import (
    OtherCertificateError,
    TlsRequiredError,
    UnknownPeerError,
    actor_for_ae,
    actor_for_passcode,
    actor_for_token,
    check_certificate,
)
from apps.core.actors import Actor
from apps.core.certificates import Certificate
from apps.dimse.domain import OTHER_CERTIFICATE, TLS_REQUIRED
from apps.dimse.recorder import Recorder
from apps.dimse.sop_classes import EXTENDED_OPTIONS, Service, service_of
from apps.dimse.upper import pdu
from apps.dimse.upper.negotiation import Agreement, agreed_options, negotiate
from apps.dimse.upper.provider import Admission, AssociationRefusedError, Handler, Record

PROOFS: Mapping[int, str] = {
    pdu.IDENTITY_PASSCODE: "a user name with the account's password or an access token as passcode",
    pdu.IDENTITY_JWT: "an access token, as the JSON Web Token's text",
}
"""Types of user identity that prove who asks. Source: PS3.7 Table D.3-14."""


@dataclass(frozen=True, slots=True)
class IsocenterProvider:
    """The acceptor of AE title `ISOCENTER_AE_TITLE`."""

    handlers: Mapping[int, Handler]
    recorder: Recorder = field(default_factory=Recorder)

    def ended(self, record: Record) -> None:
        """Put it into the black box."""
        self.recorder.put(record)

    def close(self) -> None:
        """Write the rest of the black box."""
        self.recorder.close()

    def admit(
        self,
        request: pdu.AssociateRequest,
        address: str,
        association: str,
        certificate: Certificate | None,
    ) -> Admission:
        """Return who calls, by calling AE title, or by the proof in its user identity.

        A proved user identity makes the peer that user, within what its AE may ask.

        Raises:
            AssociationRefusedError: another AE title was called, the caller is not registered,
                did not prove over TLS that it is this AE, or its token or passcode is not valid.
        """
        if request.called_ae != settings.ISOCENTER_AE_TITLE:
            raise AssociationRefusedError(pdu.REJECT_CALLED_AE)
        try:
            peer = actor_for_ae(request.calling_ae, address, association)
            check_certificate(peer.entity, certificate)
        except TlsRequiredError as error:
            raise AssociationRefusedError(
                pdu.REJECT_CALLING_AE, error.message, TLS_REQUIRED
            ) from error
        except OtherCertificateError as error:
            raise AssociationRefusedError(
                pdu.REJECT_CALLING_AE, error.message, OTHER_CERTIFICATE
            ) from error
        except UnknownPeerError as error:
            raise AssociationRefusedError(pdu.REJECT_CALLING_AE) from error
        except DatabaseError as error:
            why = "the database does not answer"
            raise AssociationRefusedError(pdu.REJECT_TEMPORARY_CONGESTION, why) from error
        user = None
        if request.user.identity is not None:
            user = _user(request.user.identity, address, association)
        verbs = frozenset(verb.value for verb in peer.verbs)
        return Admission(user or peer.actor, verbs, identified=user is not None)

    def negotiate(self, request: pdu.AssociateRequest) -> Agreement:
        """Answer the proposed contexts by `sop_classes.service_of`."""
        return negotiate(
            request,
            is_storage=lambda uid: service_of(uid) is Service.STORE,
            is_served=lambda uid: service_of(uid) is not None,
        )

    def extended(self, request: pdu.AssociateRequest) -> tuple[pdu.ExtendedNegotiation, ...]:
        """Agree to the options of query and retrieve that are asked for and true.

        Source: PS3.4 C.5.
        """
        return agreed_options(request.user.extended, lambda uid: EXTENDED_OPTIONS.get(uid, 0))


def _user(identity: pdu.UserIdentity, address: str, association: str) -> Actor | None:
    """Return the user who is proved by a user identity; None where it proves nobody.

    Proofs are an access token, as JWT (type 5) or as the passcode beside its user's name (type 2),
    and an account's password (type 2). A mere name (1), Kerberos (3) and SAML (4) are no proof
    here: the peer stays what its AE title makes it, and hears no positive response.

    Source: PS3.7 D.3.3.7.

    Raises:
        AssociationRefusedError: the proof is wrong.
    """
    if identity.kind not in PROOFS:
        return None
    by_name = identity.kind == pdu.IDENTITY_PASSCODE
    name = identity.primary.decode("utf-8", "replace").strip()
    secret = identity.secondary if by_name else identity.primary
    text = secret.decode("utf-8", "replace").strip()
    if by_name:
        actor = actor_for_passcode(name, text, address) if name and text else None
    else:
        actor = actor_for_token(text, address) if text else None
    if actor is None:
        why = "user identity not recognised"
        raise AssociationRefusedError(pdu.REJECT_NO_REASON, why)
    return replace(actor, association=association)
