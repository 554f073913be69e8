"""Where each role goes: the entries of the rail, and the page a person starts on."""

from dataclasses import dataclass

from django.urls import reverse
from django.urls.exceptions import NoReverseMatch

from apps.accounts.domain import Permission, Role
from apps.core.actors import Actor


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands around one entry of a list that is a page of its own (`base_one.html`).

    Attributes:
        title: of the window.
        heading: of the page.
        back: address of the list.
        back_words: what the list is called.
        rail: key of the rail's entry that leads there.
    """

    title: str
    heading: str
    back: str
    back_words: str
    rail: str


@dataclass(frozen=True, slots=True)
class RailEntry:
    """One entry of the main navigation."""

    key: str
    url_name: str
    icon: str
    words: str
    goto: str
    permission: Permission
    by_grant: bool = False
    count: int = 0

    @property
    def url(self) -> str:
        """Address of its page."""
        return reverse(self.url_name)

    def is_for(self, actor: Actor) -> bool:
        """Tell whether the actor may open it; the portal is for those who see by grant only."""
        held = actor.granted if self.by_grant else actor.permissions
        return self.permission.value in held


RAIL = (
    RailEntry("read", "reading:list", "read", "Read", "R", Permission.READING_READ),
    RailEntry(
        "schedule", "scheduling:calendar", "calendar", "Schedule", "S", Permission.SCHEDULE_READ
    ),
    RailEntry("perform", "worklists:perform", "gantry", "Perform", "E", Permission.PERFORM_WRITE),
    RailEntry(
        "attention", "workspace:attention", "attention", "Attention", "A", Permission.ATTENTION_READ
    ),
    RailEntry("patients", "workspace:patients", "folder", "Patients", "P", Permission.PATIENT_READ),
    RailEntry("upload", "workspace:upload", "upload", "Upload", "L", Permission.STUDY_STORE),
    RailEntry(
        "portal", "portal:list", "inbox", "Results", "O", Permission.REPORT_READ, by_grant=True
    ),
    RailEntry("audit", "workspace:audit", "shield", "Audit", "U", Permission.AUDIT_READ),
    RailEntry("admin", "workspace:administration", "gear", "Admin", "M", Permission.ADMINISTER),
)

HOME = (
    (Role.RADIOLOGIST, "read"),
    (Role.SCHEDULER, "schedule"),
    (Role.TECHNOLOGIST, "perform"),
    (Role.REFERRER, "portal"),
    (Role.PRIVACY_OFFICER, "audit"),
    (Role.ADMINISTRATOR, "attention"),
)


def is_served(url_name: str) -> bool:
    """Tell whether a page without arguments is there."""
    try:
        reverse(url_name)
    except NoReverseMatch:
        return False
    return True


def rail_for(actor: Actor) -> list[RailEntry]:
    """Return the entries that the actor may open, in the order of the chain."""
    return [entry for entry in RAIL if entry.is_for(actor) and is_served(entry.url_name)]


def home_url(actor: Actor) -> str:
    """Return the page where a person with these roles begins."""
    keys = [key for role, key in HOME if role.value in actor.roles]
    entries = {entry.key: entry for entry in rail_for(actor)}
    entry = next((entries[key] for key in keys if key in entries), None)
    if entry is None:
        entry = next(iter(entries.values()), None)
    return entry.url if entry else reverse("workspace:no-role")
