"""From an identity at a door to the actor behind it."""

import hashlib
import threading
import time
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q

from apps.accounts.domain import AT_SITES, BY_GRANT, BY_VERB, Role, Verb
from apps.accounts.models import (
    MAIN_SITE,
    ApiToken,
    ApplicationEntity,
    Hl7Peer,
    Site,
    User,
    all_verbs,
)
from apps.core import clock
from apps.core.actors import Actor, ActorKind
from apps.core.certificates import Certificate
from apps.core.errors import DomainError

TOKEN_MEMORY_S = 1.0
_token_actors: dict[str, tuple[float, Actor]] = {}
_token_lock = threading.Lock()
FAILURES_AT_MOST, FAILURES_S = 10, 300.0
_passcode_failures: dict[str, list[float]] = {}


class UnknownPeerError(DomainError):
    """The sender is not registered, and the door is not open to strangers."""

    code = "accounts.unknown-peer"
    message = "This sender is not registered here. An administrator adds it with its name and site."


class TlsRequiredError(UnknownPeerError):
    """The sender is registered to call over TLS, and did not."""

    code = "accounts.tls-required"
    message = "this AE title has to call over TLS"


class OtherCertificateError(UnknownPeerError):
    """Over TLS came another certificate than the one that this sender must show."""

    code = "accounts.other-certificate"
    message = "the certificate is not that of this AE title"


class PeerIdentity(NamedTuple):
    """An application entity at our door: the actor and what it may ask."""

    actor: Actor
    verbs: frozenset[Verb]
    entity: ApplicationEntity | None


def main_site() -> Site:
    """Return the site MAIN, which the first migration makes."""
    return Site.objects.get(code=MAIN_SITE)


def actor_for_user(user: User, address: str = "") -> Actor:
    """Return the actor that a signed-in person is."""
    return _user_actor(user, frozenset(user.sites.values_list("pk", flat=True)), address)


def actor_for_token(token: str, address: str = "") -> Actor | None:
    """Return the actor of a bearer token, or None for an unknown, expired or revoked one.

    An answer is remembered for `TOKEN_MEMORY_S`: that is how long a revoked token may still work.
    """
    digest = hashlib.sha256(token.encode()).hexdigest()
    with _token_lock:
        known = _token_actors.get(f"{digest} {address}")
    if known and known[0] > time.monotonic():
        return known[1]
    row = (
        ApiToken.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=clock.now()), digest=digest, revoked_at=None
        )
        .select_related("user")
        .annotate(
            site_keys=ArrayAgg("user__sites", filter=Q(user__sites__isnull=False), default=[])
        )
        .first()
    )
    if row is None or not row.user.is_active:
        return None
    actor = _user_actor(row.user, frozenset(row.site_keys), address)
    with _token_lock:
        if len(_token_actors) > 1000:
            _token_actors.clear()
        _token_actors[f"{digest} {address}"] = (time.monotonic() + TOKEN_MEMORY_S, actor)
    return actor


def actor_for_passcode(username: str, passcode: str, address: str = "") -> Actor | None:
    """Return the user of that name whose access token or password the passcode is, else None.

    A failure is on record as any failed sign-in. After ten from one address within five minutes
    nothing from there is looked at until they have passed, so that nobody can try passwords.
    """
    actor = actor_for_token(passcode, address)
    if actor is not None:
        own = User.objects.filter(pk=actor.user_id or 0, username=username).exists()
        return actor if own else None
    now = time.monotonic()
    with _token_lock:
        failures = [at for at in _passcode_failures.get(address, []) if now - at < FAILURES_S]
        _passcode_failures[address] = failures
    if len(failures) >= FAILURES_AT_MOST:
        return None
    user = authenticate(None, username=username, password=passcode)
    if isinstance(user, User):
        return actor_for_user(user, address)
    with _token_lock:
        if len(_passcode_failures) > 1000:
            _passcode_failures.clear()
        _passcode_failures.setdefault(address, []).append(now)
    return None


def actor_for_ae(calling_ae_title: str, address: str, association: str = "") -> PeerIdentity:
    """Return who calls over DIMSE.

    Raises:
        UnknownPeerError: not registered, and `ISOCENTER_OPEN_AE` is off.
    """
    title = calling_ae_title.strip()
    entity = ApplicationEntity.objects.select_related("site").filter(ae_title=title).first()
    if entity is None and not settings.ISOCENTER_OPEN_AE:
        raise UnknownPeerError(ae_title=title)
    if entity is not None and not entity.active:
        raise UnknownPeerError(ae_title=title)
    site = entity.site if entity else main_site()
    verbs = frozenset(Verb(verb) for verb in (entity.verbs if entity else all_verbs()))
    actor = Actor(
        kind=ActorKind.APPLICATION_ENTITY,
        key=f"ae:{title}",
        display=title,
        permissions=frozenset(p.value for verb in verbs for p in BY_VERB[verb]),
        sites=frozenset({site.pk}),
        home_site=site.pk,
        address=address,
        association=association,
    )
    return PeerIdentity(actor, verbs, entity)


def check_certificate(entity: ApplicationEntity | None, certificate: Certificate | None) -> None:
    """See that a registered AE proved itself over TLS as its entry demands.

    Args:
        entity: the registered AE; a stranger, let in where the door is open, has to prove nothing.
        certificate: what came over TLS; None at the plain port.

    Raises:
        TlsRequiredError: it came without TLS.
        OtherCertificateError: it came with another certificate.
    """
    if entity is None:
        return
    if certificate is None:
        if entity.calls_over_tls:
            raise TlsRequiredError(ae_title=entity.ae_title)
    elif entity.certificate and not certificate.is_called(entity.certificate):
        raise OtherCertificateError(ae_title=entity.ae_title)


def application_entity(ae_title: str) -> ApplicationEntity | None:
    """Return a registered and active AE, such as the destination of a C-MOVE."""
    return ApplicationEntity.objects.filter(ae_title=ae_title.strip(), active=True).first()


def hl7_peer(sending_app: str, sending_facility: str) -> Hl7Peer | None:
    """Return the registered peer that MSH-3 and MSH-4 name; the most exact match wins."""
    candidates = Hl7Peer.objects.select_related("site").filter(
        Q(app=sending_app) | Q(app=""), Q(facility=sending_facility) | Q(facility=""), active=True
    )
    named = [peer for peer in candidates if peer.app or peer.facility]
    return max(named, key=lambda peer: (bool(peer.app), bool(peer.facility)), default=None)


def actor_for_hl7(
    sending_app: str, sending_facility: str, address: str
) -> tuple[Actor, Hl7Peer | None]:
    """Return who sends HL7 v2, and its registration where there is one.

    Raises:
        UnknownPeerError: not registered, and `ISOCENTER_OPEN_HL7` is off.
    """
    peer = hl7_peer(sending_app, sending_facility)
    if peer is None and not settings.ISOCENTER_OPEN_HL7:
        raise UnknownPeerError(app=sending_app, facility=sending_facility)
    site = peer.site if peer else main_site()
    name = peer.name if peer else f"{sending_app}|{sending_facility}"
    permissions = AT_SITES[Role.SCHEDULER]
    actor = Actor(
        kind=ActorKind.INTERFACE,
        key=f"hl7:{name}"[:100],
        display=name,
        permissions=frozenset(p.value for p in permissions),
        sites=frozenset({site.pk}),
        home_site=site.pk,
        address=address,
    )
    return actor, peer


def referrer_for(provider_id: str) -> User | None:
    """Return the person whom XCN.1 of an order names."""
    return User.objects.filter(provider_id=provider_id).first() if provider_id else None


@lru_cache(maxsize=64)
def _role_permissions(roles: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    known = [Role(role) for role in roles]
    at_sites = frozenset(p.value for role in known for p in AT_SITES[role])
    by_grant = frozenset(p.value for role in known for p in BY_GRANT.get(role, ()))
    return at_sites, by_grant


def _user_actor(user: User, sites: frozenset[int], address: str) -> Actor:
    roles = frozenset(user.roles)
    at_sites, by_grant = _role_permissions(roles)
    grantees = {f"user:{user.pk}"}
    if user.practice_id:
        grantees.add(f"practice:{user.practice_id}")
    return Actor(
        kind=ActorKind.USER,
        key=f"user:{user.pk}",
        display=str(user),
        permissions=at_sites,
        granted=by_grant,
        sites=sites,
        all_sites=Role.ADMINISTRATOR in roles,
        home_site=user.home_site_id or min(sites, default=None),
        grantees=frozenset(grantees),
        roles=roles,
        user_id=user.pk,
        address=address,
    )
