"""What a browser may send to the workspace's own pages."""

import datetime
from typing import Any, cast

from django import forms
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, DateInput

from apps.accounts.domain import Role, Verb
from apps.accounts.models import Site, User
from apps.audit.registry import event_types
from apps.core.actors import Actor
from apps.dimse.domain import ENDS, End
from apps.orders.models import Procedure
from apps.orders.selectors import procedures_active

DOORS = {
    "page": "page",
    "api": "API",
    "dicomweb": "DICOMweb",
    "dimse": "DICOM",
    "hl7": "HL7",
    "task": "own work",
}


class StyledForm(forms.Form):
    """A form whose fields wear the design system."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, (CheckboxInput, CheckboxSelectMultiple)):
                field.widget.attrs.setdefault("class", "in")
                field.widget.attrs.setdefault("autocomplete", "off")


def site_choices() -> list[tuple[str, str]]:
    """Every site by its code."""
    return [(s.code, f"{s.name} ({s.code})") for s in Site.objects.order_by("code")]


class AeForm(StyledForm):
    """A DICOM node."""

    ae_title = forms.CharField(label="AE title", max_length=16)
    description = forms.CharField(label="What it is", max_length=200, required=False)
    host = forms.CharField(label="Address", max_length=255)
    port = forms.IntegerField(label="Port", min_value=1, max_value=65535)
    site = forms.ChoiceField(label="Site", choices=site_choices)
    verbs = forms.MultipleChoiceField(
        label="May ask for",
        choices=[(v.value, v.value) for v in Verb],
        widget=CheckboxSelectMultiple,
        required=False,
    )
    calls_over_tls = forms.BooleanField(label="Calls us over TLS only", required=False)
    called_over_tls = forms.BooleanField(label="We call it over TLS", required=False)
    certificate = forms.CharField(
        label="Its certificate",
        max_length=300,
        required=False,
        help_text="that it must show over TLS: subject, such as CN=ct1.example, or SHA-256 "
        "fingerprint; left empty, any that our authorities signed",
    )
    active = forms.BooleanField(label="Let in", required=False, initial=True)


class Hl7PeerForm(StyledForm):
    """An HL7 v2 peer."""

    name = forms.CharField(label="Name", max_length=64)
    app = forms.CharField(
        label="Application", max_length=180, required=False, help_text="as it sends it in MSH-3"
    )
    facility = forms.CharField(
        label="Facility", max_length=180, required=False, help_text="as it sends it in MSH-4"
    )
    site = forms.ChoiceField(label="Site", choices=site_choices)
    issuer = forms.CharField(
        label="Issuer of its patient numbers",
        max_length=64,
        required=False,
        help_text="used where PID-3.4 is empty",
    )
    accession_field = forms.RegexField(
        r"^[A-Z][A-Z0-9]{2}-\d{1,3}$",
        label="Its accession numbers stand in",
        required=False,
        help_text="where OBR-18 is empty, such as ORC-3",
    )
    charset = forms.CharField(
        label="Its character set",
        max_length=40,
        required=False,
        help_text="table 0211, such as 8859/7; used where MSH-18 is empty",
    )
    send_host = forms.CharField(label="Send results to", max_length=255, required=False)
    send_port = forms.IntegerField(label="Port", min_value=1, max_value=65535, required=False)
    events = forms.MultipleChoiceField(
        label="What it is sent",
        choices=[("oru", "results (ORU)"), ("status", "order status")],
        widget=CheckboxSelectMultiple,
        required=False,
    )
    active = forms.BooleanField(label="Let in", required=False, initial=True)


class UserForm(StyledForm):
    """An account."""

    username = forms.CharField(label="User name", max_length=150)
    first_name = forms.CharField(label="Given name", max_length=150, required=False)
    last_name = forms.CharField(label="Family name", max_length=150, required=False)
    roles = forms.MultipleChoiceField(
        label="Roles",
        choices=[(r.value, r.value) for r in Role],
        widget=CheckboxSelectMultiple,
        required=False,
    )
    sites = forms.MultipleChoiceField(
        label="Sites", choices=site_choices, widget=CheckboxSelectMultiple, required=False
    )
    provider_id = forms.CharField(
        label="Number on orders",
        max_length=64,
        required=False,
        help_text="by which orders name this person (ORC-12)",
    )
    password = forms.CharField(
        label="New password",
        required=False,
        min_length=8,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="left empty, the password stays",
    )
    active = forms.BooleanField(label="May sign in", required=False, initial=True)


def event_choices() -> list[tuple[str, str]]:
    """Every kind of event in words, by its words."""
    kinds = sorted(event_types().values(), key=lambda kind: kind.words)
    return [("", "anything"), *((kind.name, kind.words) for kind in kinds)]


class AuditForm(StyledForm):
    """A search of the audit trail."""

    patient = forms.CharField(label="Patient, name or number", required=False, max_length=100)
    who = forms.CharField(label="Who", required=False, max_length=100)
    study = forms.CharField(label="Study UID or accession", required=False, max_length=64)
    first = forms.DateField(
        label="From", required=False, widget=DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label="To", required=False, widget=DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    door = forms.ChoiceField(label="Door", required=False, choices=[("", "any"), *DOORS.items()])
    event = forms.ChoiceField(label="What", required=False, choices=event_choices)
    failures = forms.BooleanField(label="Refused or failed only", required=False)

    def clean(self) -> dict[str, Any]:
        """Refuse a span that ends before it begins."""
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if isinstance(first, datetime.date) and isinstance(last, datetime.date) and last < first:
            self.add_error("last", "The span ends before it begins.")
        return cleaned


SERVICES = ("C-ECHO", "C-STORE", "C-FIND", "C-MOVE", "C-GET", "N-ACTION", "N-CREATE", "N-SET")


class AssociationForm(StyledForm):
    """A search of the black box."""

    who = forms.CharField(label="Who", required=False, max_length=64)
    end = forms.ChoiceField(
        label="Ended",
        required=False,
        choices=[("", "any way"), *((e.value, ENDS[e]) for e in End if e is not End.PROBE)],
    )
    message = forms.ChoiceField(
        label="Asked for", required=False, choices=[("", "anything"), *((s, s) for s in SERVICES)]
    )
    first = forms.DateField(
        label="From", required=False, widget=DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label="To", required=False, widget=DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    failures = forms.BooleanField(label="With a fault only", required=False)


class PatientSearchForm(StyledForm):
    """A search for a person; two of the three narrow it."""

    q = forms.CharField(label="Name or number", required=False, max_length=100)
    born = forms.DateField(
        label="Born", required=False, widget=DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class ProcedureField(forms.ModelChoiceField):
    """The catalogue, each line by its name: typing its first letters finds it."""

    def label_from_instance(self, obj: Procedure) -> str:
        """Return the name alone."""
        return obj.meaning


class SiteField(forms.ModelChoiceField):
    """The sites by the names that people use."""

    def label_from_instance(self, obj: Site) -> str:
        """Return the name, the code where there is none."""
        return obj.name or obj.code


class OrderForm(StyledForm):
    """An exam to be ordered: what, which side, how soon, why, and for whom the result is."""

    procedure = ProcedureField(
        label="Exam", queryset=Procedure.objects.none(), empty_label="Choose an exam"
    )
    laterality = forms.ChoiceField(
        label="Side", required=False, choices=[("", "none"), ("L", "left"), ("R", "right")]
    )
    priority = forms.ChoiceField(
        label="How soon",
        choices=[("routine", "routine"), ("urgent", "urgent"), ("stat", "stat")],
        initial="routine",
    )
    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The radiologist reads this first.",
    )
    reason_code = forms.CharField(label="Reason as a code", max_length=64, required=False)
    reason_scheme = forms.ChoiceField(
        label="Code system",
        required=False,
        choices=[("I10", "ICD-10"), ("SCT", "SNOMED CT")],
        initial="I10",
    )
    clinical_info = forms.CharField(
        label="What else to know",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Allergies, implants, earlier operations, kidney function.",
    )
    referrer = forms.ModelChoiceField(
        label="Result goes to",
        queryset=User.objects.none(),
        required=False,
        empty_label="nobody here",
    )
    service = forms.CharField(label="Ward or clinic", max_length=64, required=False)
    site = SiteField(label="Where", queryset=Site.objects.none(), empty_label=None)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sites = Site.objects.order_by("code")
        if not actor.all_sites:
            sites = sites.filter(pk__in=actor.sites)
        choices: dict[str, Any] = {
            "procedure": procedures_active(),
            "referrer": User.objects.filter(
                roles__contains=[Role.REFERRER.value], is_active=True
            ).order_by("last_name", "first_name", "pk"),
            "site": sites,
        }
        for name, rows in choices.items():
            cast("forms.ModelChoiceField", self.fields[name]).queryset = rows
        self.fields["site"].initial = actor.home_site
