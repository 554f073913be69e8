"""Commands of accounts."""

import datetime
import hashlib
import secrets
from collections.abc import Collection
from typing import Any

from django.db import transaction

from apps.accounts import audit_events, policy
from apps.accounts.domain import Permission, Role, Verb
from apps.accounts.models import ApiToken, ApplicationEntity, Hl7Peer, Site, User
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.certificates import checked_name
from apps.core.errors import InvalidInputError, NotFoundError

AE_TITLE_LENGTH = 16


@transaction.atomic(durable=True)
def token_issue(
    *,
    actor: Actor,
    username: str,
    at: datetime.datetime,
    label: str = "",
    expires_at: datetime.datetime | None = None,
) -> str:
    """Issue a bearer token for an account and return it; only its digest is kept.

    Raises:
        NotFoundError: no active account has that name.
    """
    policy.require(actor, Permission.ADMINISTER)
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        message = f"No active account is called {username}."
        raise NotFoundError(message)
    token = secrets.token_urlsafe(32)
    ApiToken.objects.create(
        user=user,
        digest=hashlib.sha256(token.encode()).hexdigest(),
        label=label,
        created_at=at,
        expires_at=expires_at,
    )
    record(actor=actor, event=audit_events.TOKEN_ISSUED, door="task", key=f"user:{user.pk}")
    return token


@transaction.atomic(durable=True)
def ae_register(
    *,
    actor: Actor,
    ae_title: str,
    host: str,
    port: int,
    site_code: str,
    verbs: Collection[Verb],
    description: str = "",
    active: bool = True,
    calls_over_tls: bool = False,
    called_over_tls: bool = False,
    certificate: str = "",
    door: str = "task",
) -> ApplicationEntity:
    """Add a DICOM node, or change the one that has this AE title.

    Raises:
        InvalidInputError: the AE title, the port (PS3.5 6.2, AE) or the certificate's name is not
            possible.
        NotFoundError: no such site.
    """
    policy.require(actor, Permission.ADMINISTER)
    title = ae_title.strip()
    if not title or len(title) > AE_TITLE_LENGTH or not title.isprintable() or "\\" in title:
        message = f"An AE title has 1 to 16 printable characters without a backslash: {ae_title!r}."
        raise InvalidInputError(message, field="ae_title")
    if not 0 < port < 65536:
        message = f"A port is a number from 1 to 65535, not {port}."
        raise InvalidInputError(message, field="port")
    try:
        certificate = checked_name(certificate) if certificate.strip() else ""
    except ValueError as error:
        raise InvalidInputError(str(error), field="certificate") from error
    site = site_by_code(site_code)
    values: dict[str, Any] = {
        "host": host,
        "port": port,
        "verbs": sorted(verb.value for verb in verbs),
        "description": description,
        "active": active,
        "calls_over_tls": calls_over_tls,
        "called_over_tls": called_over_tls,
        "certificate": certificate,
    }
    before = (
        ApplicationEntity.objects.select_for_update(of=("self",))
        .select_related("site")
        .filter(ae_title=title)
        .first()
    )
    entity, _ = ApplicationEntity.objects.update_or_create(
        ae_title=title, defaults={**values, "site": site}
    )
    values["site"] = site_code
    were = {name: getattr(before, name) for name in values if name != "site"} if before else {}
    if before is not None:
        were["site"] = before.site.code
    record(
        actor=actor,
        event=audit_events.AE_REGISTERED,
        door=door,
        key=f"ae:{title}",
        **values,
        was={name: value for name, value in were.items() if value != values[name]},
    )
    return entity


@transaction.atomic(durable=True)
def hl7_peer_register(
    *,
    actor: Actor,
    name: str,
    site_code: str,
    app: str = "",
    facility: str = "",
    issuer: str = "",
    send_host: str = "",
    send_port: int | None = None,
    events: Collection[str] = (),
    accession_field: str = "",
    charset: str = "",
    active: bool = True,
) -> Hl7Peer:
    """Add an HL7 v2 peer, or change the one of this name.

    Raises:
        InvalidInputError: it neither sends nor receives, or an event is unknown.
        NotFoundError: no such site.
    """
    policy.require(actor, Permission.ADMINISTER)
    if not (app or facility or send_host):
        message = "Give the application or facility it sends (MSH-3, MSH-4), or where to send to."
        raise InvalidInputError(message, field="app")
    unknown = set(events) - {"oru", "status"}
    if unknown:
        message = f"Events are oru and status, not {', '.join(sorted(unknown))}."
        raise InvalidInputError(message, field="events")
    peer, _ = Hl7Peer.objects.update_or_create(
        name=name,
        defaults={
            "app": app,
            "facility": facility,
            "site": site_by_code(site_code),
            "issuer": issuer,
            "send_host": send_host,
            "send_port": send_port,
            "events": sorted(events),
            "accession_field": accession_field,
            "charset": charset,
            "active": active,
        },
    )
    record(actor=actor, event=audit_events.HL7_PEER_REGISTERED, door="task", key=f"hl7:{name}")
    return peer


@transaction.atomic(durable=True)
def user_save(
    *,
    actor: Actor,
    username: str,
    roles: Collection[Role],
    site_codes: Collection[str],
    password: str | None = None,
    first_name: str = "",
    last_name: str = "",
    provider_id: str = "",
    active: bool = True,
) -> User:
    """Add an account, or change the one of this name; the password stays where none is given."""
    policy.require(actor, Permission.ADMINISTER)
    user = User.objects.filter(username=username).first() or User(username=username)
    user.roles = sorted(role.value for role in roles)
    user.first_name, user.last_name = first_name, last_name
    user.provider_id, user.is_active = provider_id, active
    sites = [site_by_code(code) for code in site_codes]
    user.home_site = sites[0] if sites else None
    if password is not None:
        user.set_password(password)
    elif user._state.adding:  # noqa: SLF001
        user.set_unusable_password()
    user.save()
    user.sites.set(sites)
    record(
        actor=actor,
        event=audit_events.USER_SAVED,
        door="task",
        key=f"user:{user.pk}",
        roles=user.roles,
        sites=list(site_codes),
        active=active,
    )
    return user


def site_by_code(code: str) -> Site:
    """Return a site.

    Raises:
        NotFoundError: no site has the code.
    """
    site = Site.objects.filter(code=code).first()
    if site is None:
        known = ", ".join(Site.objects.order_by("code").values_list("code", flat=True))
        message = f"No site has the code {code}; there are {known}."
        raise NotFoundError(message)
    return site
