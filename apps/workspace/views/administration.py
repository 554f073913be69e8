"""Who may come in: accounts, DICOM nodes, HL7 peers. Lists with one form beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.accounts import services
from apps.accounts.domain import Permission, Role, Verb
from apps.accounts.models import MAIN_SITE, ApplicationEntity, Hl7Peer, User
from apps.accounts.pages import page
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.dimse.diagnosis import summary
from apps.dimse.models import AssociationRecord
from apps.dimse.selectors import last_associations
from apps.workspace.forms import AeForm, Hl7PeerForm, StyledForm, UserForm

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Register:
    """One of the registers: its rows, its form, and the command that changes it."""

    key: str
    words: str
    new_words: str
    rows: Callable[[], QuerySet[Any]]
    form: type[StyledForm]
    initial: Callable[[Any], Values]
    save: Callable[[Actor, Values], object]
    name_field: str


def _ae_initial(ae: ApplicationEntity) -> Values:
    return {
        "ae_title": ae.ae_title,
        "description": ae.description,
        "host": ae.host,
        "port": ae.port,
        "site": ae.site.code,
        "verbs": ae.verbs,
        "calls_over_tls": ae.calls_over_tls,
        "called_over_tls": ae.called_over_tls,
        "certificate": ae.certificate,
        "active": ae.active,
    }


def _ae_save(actor: Actor, values: Values) -> object:
    return services.ae_register(
        actor=actor,
        ae_title=values["ae_title"],
        host=values["host"],
        port=values["port"],
        site_code=values["site"],
        verbs=[Verb(verb) for verb in values["verbs"]],
        description=values["description"],
        active=values["active"],
        calls_over_tls=values["calls_over_tls"],
        called_over_tls=values["called_over_tls"],
        certificate=values["certificate"],
        door="page",
    )


def tls_of(ae: ApplicationEntity) -> str:
    """Say how an AE stands to TLS."""
    ways = {(True, True): "both ways", (True, False): "in only", (False, True): "out only"}
    return ways.get((ae.calls_over_tls, ae.called_over_tls), "")


def _node(ae: ApplicationEntity, last: AssociationRecord | None) -> Values:
    return {"ae": ae, "tls": tls_of(ae), "last": last, "words": summary(last) if last else ""}


def _peer_initial(peer: Hl7Peer) -> Values:
    return {
        "name": peer.name,
        "app": peer.app,
        "facility": peer.facility,
        "site": peer.site.code,
        "issuer": peer.issuer,
        "accession_field": peer.accession_field,
        "charset": peer.charset,
        "send_host": peer.send_host,
        "send_port": peer.send_port,
        "events": peer.events,
        "active": peer.active,
    }


def _peer_save(actor: Actor, values: Values) -> object:
    site = values.pop("site")
    return services.hl7_peer_register(actor=actor, site_code=site, **values)


def _user_initial(user: User) -> Values:
    return {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "roles": user.roles,
        "sites": [site.code for site in user.sites.all()],
        "provider_id": user.provider_id,
        "active": user.is_active,
    }


def _user_save(actor: Actor, values: Values) -> object:
    return services.user_save(
        actor=actor,
        username=values["username"],
        roles=[Role(role) for role in values["roles"]],
        site_codes=values["sites"],
        password=values["password"] or None,
        first_name=values["first_name"],
        last_name=values["last_name"],
        provider_id=values["provider_id"],
        active=values["active"],
    )


REGISTERS = {
    register.key: register
    for register in (
        Register(
            "users",
            "Accounts",
            "New account",
            lambda: User.objects.prefetch_related("sites").order_by("username"),
            UserForm,
            _user_initial,
            _user_save,
            "username",
        ),
        Register(
            "nodes",
            "DICOM nodes",
            "New node",
            lambda: ApplicationEntity.objects.select_related("site").order_by("ae_title"),
            AeForm,
            _ae_initial,
            _ae_save,
            "ae_title",
        ),
        Register(
            "peers",
            "HL7 peers",
            "New peer",
            lambda: Hl7Peer.objects.select_related("site").order_by("name"),
            Hl7PeerForm,
            _peer_initial,
            _peer_save,
            "name",
        ),
    )
}


@require_http_methods(["GET"])
@page(Permission.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    """Begin at the accounts."""
    return redirect("workspace:register", key="users")


@require_http_methods(["GET", "POST"])
@page(Permission.ADMINISTER)
def register(request: HttpRequest, key: str, pk: int | None = None) -> HttpResponse:
    """Show one register; with `pk`, and at `new/`, with the form of that row."""
    shown = REGISTERS[key]
    row = get_object_or_404(shown.rows(), pk=pk) if pk else None
    making = request.resolver_match is not None and request.resolver_match.url_name == "new-entry"
    if request.method == "POST":
        form = shown.form(request.POST)
        if _saved(request, shown, form, row):
            return redirect("workspace:register", key=key)
        return _render(request, shown, form=form, row=row, status=422)
    if row is None and not making:
        return _render(request, shown)
    form = shown.form(initial=shown.initial(row) if row else _for_new(shown))
    return _render(request, shown, form=form, row=row)


def _for_new(shown: Register) -> Values:
    everything = [verb.value for verb in Verb]
    return {"site": MAIN_SITE, "verbs": everything, "sites": [MAIN_SITE], "active": True}


def _saved(request: HttpRequest, shown: Register, form: Form, row: Model | None) -> bool:
    """Carry out the form; what the command refuses is said beside its field."""
    if not form.is_valid():
        return False
    name = form.cleaned_data[shown.name_field]
    taken = shown.rows().filter(**{shown.name_field: name}).exclude(pk=row.pk if row else None)
    if taken.exists():
        form.add_error(shown.name_field, f"{name} is there already.")
        return False
    if row is not None and name != getattr(row, shown.name_field):
        form.add_error(shown.name_field, "The name stays; make a new entry for another name.")
        return False
    try:
        shown.save(request.actor, dict(form.cleaned_data))  # type: ignore[attr-defined]
    except InvalidInputError as error:
        field = str(error.details.get("field", ""))
        form.add_error(field if field in form.fields else None, error.message)
        return False
    messages.success(request, f"{name} saved")
    return True


def _render(
    request: HttpRequest,
    shown: Register,
    *,
    form: Form | None = None,
    row: Model | None = None,
    status: int = 200,
) -> HttpResponse:
    tabs = [
        {
            "url": reverse("workspace:register", kwargs={"key": other.key}),
            "words": other.words,
            "count": other.rows().count(),
            "current": other is shown,
        }
        for other in REGISTERS.values()
    ]
    rows = shown.rows()
    actor: Actor = request.actor  # type: ignore[attr-defined]
    last = last_associations(actor) if shown.key == "nodes" else {}
    context = {
        "register": shown,
        "tabs": tabs,
        "rows": rows,
        "nodes": [_node(ae, last.get(ae.ae_title)) for ae in rows if shown.key == "nodes"],
        "form": form,
        "row": row,
        "now": clock.now(),
    }
    return render(request, "workspace/administration.html", context, status=status)
