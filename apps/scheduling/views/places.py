"""What an address of the schedule asks for: site, date, rooms and view."""

import datetime
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateparse import parse_date

from apps.accounts.models import Site
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.scheduling import wall_time
from apps.scheduling.models import Room
from apps.scheduling.selectors import rooms_visible_to, sites_visible_to, zone_of

MOST_COLUMNS = 24
VIEWS = ("day", "week", "list")
WEEK = 7


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the schedule a page stands.

    Attributes:
        modality: only rooms of this; all where empty.
        room: the room of the week view.
    """

    site: Site
    sites: tuple[Site, ...]
    rooms: tuple[Room, ...]
    today: datetime.date
    date: datetime.date
    view: str = "day"
    modality: str = ""
    room: Room | None = None

    @property
    def modalities(self) -> list[str]:
        """What the site's rooms do, in their order."""
        return list(dict.fromkeys(room.modality for room in self.rooms))

    @property
    def shown_rooms(self) -> list[Room]:
        """The rooms that the filter leaves."""
        return [room for room in self.rooms if self.modality in ("", room.modality)][:MOST_COLUMNS]

    @property
    def cells(self) -> list[tuple[Room, datetime.date]]:
        """Room and date of each column."""
        if self.view == "week" and self.room is not None:
            return [(self.room, date) for date in self.dates]
        return [(room, self.date) for room in self.shown_rooms]

    @property
    def dates(self) -> list[datetime.date]:
        """The week that the date is in, from Monday."""
        monday = self.date - datetime.timedelta(days=self.date.weekday())
        return [monday + datetime.timedelta(days=day) for day in range(WEEK)]

    @property
    def stride(self) -> datetime.timedelta:
        """How far one press of back or on goes."""
        return datetime.timedelta(days=WEEK if self.view == "week" else 1)

    @property
    def before(self) -> str:
        """Address of the day or week before."""
        return self.at(date=self.date - self.stride)

    @property
    def after(self) -> str:
        """Address of the day or week after."""
        return self.at(date=self.date + self.stride)

    @property
    def now(self) -> str:
        """Address of today."""
        return self.at(date=self.today)

    def views(self) -> list[tuple[str, str, str]]:
        """Return key, words and address of each view."""
        words = ("Day", "Week", "List")
        return [(key, word, self.at(view=key)) for key, word in zip(VIEWS, words, strict=True)]

    def at(self, **changes: object) -> str:
        """Return the address of the calendar with something changed."""
        return f"{reverse('scheduling:calendar')}?{replace(self, **changes).query}"  # type: ignore[arg-type]

    @property
    def query(self) -> str:
        """What stands behind the question mark."""
        said = {"site": self.site.code, "date": self.date.isoformat(), "view": self.view}
        if self.modality:
            said["modality"] = self.modality
        if self.view == "week" and self.room is not None:
            said["room"] = str(self.room.pk)
        return urlencode(said)

    @property
    def url(self) -> str:
        """Address of what is shown."""
        return self.at()


def place_of(request: HttpRequest, actor: Actor, at: datetime.datetime) -> Place:
    """Read the address; what it does not say, or says wrongly, is the usual: home site, today.

    Raises:
        NotFoundError: the actor has no site, or not the one it asks for.
    """
    sites = tuple(sites_visible_to(actor))
    site = _site(request.GET.get("site", ""), sites, actor)
    rooms = tuple(rooms_visible_to(actor).filter(site=site))
    today = wall_time.wall(at, zone_of(site)).date()
    view = request.GET.get("view", "day")
    place = Place(
        site=site,
        sites=sites,
        rooms=rooms,
        today=today,
        date=_date(request.GET.get("date", "")) or today,
        view=view if view in VIEWS else "day",
    )
    modality = request.GET.get("modality", "")
    number = request.GET.get("room", "")
    chosen = next((room for room in rooms if str(room.pk) == number), None)
    if chosen is None and rooms:
        chosen = next((room for room in rooms if room.modality == modality), rooms[0])
    return replace(place, modality=modality if modality in place.modalities else "", room=chosen)


def _site(code: str, sites: tuple[Site, ...], actor: Actor) -> Site:
    by_code = {site.code: site for site in sites}
    if code:
        if code not in by_code:
            raise NotFoundError(site=code)
        return by_code[code]
    home = next((site for site in sites if site.pk == actor.home_site), None)
    if home is not None:
        return home
    if not sites:
        message = "You work for no site yet. An administrator adds you to one."
        raise NotFoundError(message)
    return sites[0]


def _date(text: str) -> datetime.date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
