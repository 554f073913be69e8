"""Who does a thing: the one value that every command and selector takes as `actor`."""

import enum
from dataclasses import dataclass, field


class ActorKind(enum.StrEnum):
    """What kind of party acts."""

    USER = "user"
    APPLICATION_ENTITY = "ae"
    INTERFACE = "hl7"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A snapshot of the acting party: audit keeps it as it was, whatever becomes of the account.

    Attributes:
        key: stable and unique, `user:12`, `ae:CT_1`, `hl7:HIS`, `system:relay`.
        display: what a person reads, `Falk, Ines`.
        permissions: what it may do at its sites.
        granted: what it may do only where an AccessGrant names the patient or the exam.
        sites: primary keys of the sites it works for; ignored where `all_sites`.
        home_site: the site of what it stores; None for the system.
        grantees: keys under which access was granted to it (`user:12`, `practice:3`).
        address: network address it acts from, empty for local processes.
        association: groups what is audited once: a DIMSE association, else empty.
    """

    kind: ActorKind
    key: str
    display: str
    permissions: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    sites: frozenset[int] = frozenset()
    all_sites: bool = False
    home_site: int | None = None
    grantees: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    user_id: int | None = None
    address: str = ""
    association: str = field(default="", compare=False)

    def may(self, permission: str) -> bool:
        """Tell whether the actor holds the permission anywhere at all."""
        return permission in self.permissions or permission in self.granted


def system_actor(job: str) -> Actor:
    """Return the actor of Isocenter's own work (`relay`, `seed`), which sees every site."""
    return Actor(
        kind=ActorKind.SYSTEM,
        key=f"system:{job}",
        display=f"Isocenter ({job})",
        all_sites=True,
    )
