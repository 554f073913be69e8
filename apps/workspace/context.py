"""What every page's frame shows: rail, account, theme, safety banners. In templates: `shell`."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.domain import Permission, Role
from apps.accounts.models import User
from apps.accounts.selectors import main_site
from apps.core import clock
from apps.dimse.certificates import standing
from apps.workspace.attention.selectors import counts
from apps.workspace.navigation import RailEntry, rail_for

ROLE_WORDS = {
    Role.SCHEDULER: "scheduling",
    Role.TECHNOLOGIST: "technologist",
    Role.RADIOLOGIST: "radiologist",
    Role.REFERRER: "referring clinician",
    Role.PRIVACY_OFFICER: "privacy officer",
    Role.ADMINISTRATOR: "administrator",
}
PREFERENCES = {"theme": ("dark", "light"), "single_keys": ("on", "off")}


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in, in words."""

    name: str
    initials: str
    role_words: str


@dataclass(frozen=True, slots=True)
class Banner:
    """Something about the whole installation that everybody must know."""

    icon: str
    words: str
    detail: str


def full_name(user: User) -> str:
    """`Dr Ines Falk`; the user name where no name is known."""
    parts = (user.title, user.first_name, user.last_name)
    return " ".join(p for p in parts if p) or user.username


def preference(request: HttpRequest, name: str) -> str:
    """A choice the person made: kept with the account, or for strangers in the session."""
    user = request.user
    kept = user.preferences if isinstance(user, User) else request.session.get("preferences", {})
    value = kept.get(name, "")
    return value if value in PREFERENCES[name] else ""


def open_doors() -> list[Banner]:
    """The safety banners: doors that take strangers (`ISOCENTER_OPEN_AE`, `ISOCENTER_OPEN_HL7`)."""
    dicom, hl7 = settings.ISOCENTER_OPEN_AE, settings.ISOCENTER_OPEN_HL7
    if not (dicom or hl7):
        return []
    who = {(True, True): "DICOM and HL7", (True, False): "DICOM", (False, True): "HL7"}[dicom, hl7]
    return [
        Banner(
            "unlink",
            f"Any {who} sender is accepted.",
            "Not for real patients: register the peers, then close this door.",
        )
    ]


def certificates() -> list[Banner]:
    """What an administrator has to renew or mend of DICOM over TLS."""
    found = standing(clock.now())
    if found is None:
        return []
    words = [*([f"{found.problem}."] if found.problem else []), *(f"{w}." for w in found.warnings)]
    return [Banner("lock", text, "DICOM over TLS.") for text in words]


class Shell:
    """The frame's facts, each worked out when a template first asks for it."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def rail(self) -> list[RailEntry]:
        """Entries of the main navigation that this person may open."""
        actor = self.request.actor  # type: ignore[attr-defined]
        if not actor:
            return []
        return [
            replace(entry, count=sum(counts(actor).values())) if entry.key == "attention" else entry
            for entry in rail_for(actor)
        ]

    @cached_property
    def account(self) -> Account | None:
        """The signed-in person."""
        user = self.request.user
        if not isinstance(user, User):
            return None
        name = full_name(user)
        letters = [p[0] for p in (user.first_name, user.last_name) if p] or list(name[:2])
        roles = ", ".join(words for role, words in ROLE_WORDS.items() if role.value in user.roles)
        return Account(name, "".join(letters).upper(), roles or "no role yet")

    @cached_property
    def theme(self) -> str:
        """The chosen theme; empty leaves it to the page."""
        return preference(self.request, "theme")

    @cached_property
    def single_keys(self) -> bool:
        """Whether single letters are commands (WCAG 2.1.4 lets a person switch them off)."""
        return preference(self.request, "single_keys") != "off"

    @cached_property
    def banners(self) -> list[Banner]:
        """What everybody must know about this installation, and what administrators must."""
        actor = self.request.actor  # type: ignore[attr-defined]
        if actor and Permission.ADMINISTER.value in actor.permissions:
            return [*open_doors(), *certificates()]
        return open_doors()

    @property
    def demo(self) -> bool:
        """Whether this is the demonstration hospital."""
        return settings.ISOCENTER_DEMO

    @cached_property
    def hospital(self) -> str:
        """Name of the main site, for the sign-in page."""
        return main_site().name

    @property
    def version(self) -> str:
        """Version of the product."""
        return settings.ISOCENTER_VERSION

    @property
    def demo_accounts(self) -> list[str]:
        """User names of the demonstration hospital; nobody's where it is none."""
        return [role.value for role in Role] if self.demo else []

    @cached_property
    def session_seconds(self) -> int:
        """How long the sign-in lasts from now."""
        return self.request.session.get_expiry_age()


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the page's frame as `shell`."""
    return {"shell": Shell(request)}
