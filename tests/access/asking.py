"""Routes, lines of the table, and one request with its answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.access.asks import ASKS, Ask
from tests.access.world import Place, World

TABLE = Path(__file__).with_name("matrix.md")
REFUSALS = (401, 403, 404)
DIFFERS = re.compile(rb"[A-Za-z0-9]{64}|[0-9.]+")


@dataclass(frozen=True)
class Route:
    """One address of the resolver.

    Attributes:
        name: `workspace:patient`; the address itself where it has no name.
        choices: by argument, the words that its converter takes, where it takes only a few.
    """

    name: str
    address: str
    choices: dict[str, tuple[str, ...]]
    unnamed: bool


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    title: str
    method: str
    cells: dict[str, str]

    @property
    def route(self) -> str:
        """Name of its route."""
        return self.title.split(" ", maxsplit=1)[0]

    @property
    def said(self) -> dict[str, str]:
        """What follows the name: `{"verb": "map"}`."""
        return dict(part.split("=") for part in self.title.split(" ")[1:])

    def __str__(self) -> str:
        return f"{self.title} {self.method}"


def routes(resolver: URLResolver | None = None, space: str = "", base: str = "") -> Iterator[Route]:
    """Every address of the product."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = base + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from routes(entry, inner, address)
        elif isinstance(entry, URLPattern):
            name = f"{space}{entry.name}" if entry.name else address
            choices = {
                key: tuple(converter.regex.split("|"))
                for key, converter in entry.pattern.converters.items()
                if re.fullmatch(r"[a-z|-]+", converter.regex)
            }
            yield Route(name, address, choices, unnamed=not entry.name)


def lines() -> list[Line]:
    """The table."""
    rows = [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in TABLE.read_text().splitlines()
        if text.startswith("|")
    ]
    head, _, *body = rows
    return [
        Line(title, method, dict(zip(head[2:], cells, strict=True)))
        for title, method, *cells in body
    ]


@dataclass(frozen=True)
class Answer:
    """What came back, in the table's words."""

    word: str
    body: bytes
    status: int


class Asker:
    """Asks as each person of the table, and takes back whatever the request did."""

    def __init__(self, world: World, clients: dict[str, Client]) -> None:
        self.world, self.clients = world, clients
        self.cookies = {name: client.cookies.output() for name, client in clients.items()}
        self.routes = {route.name: route for route in routes()}

    def how(self, line: Line, place: Place) -> Ask:
        """The request that a line is about."""
        asking = ASKS.get(f"{line.title} {line.method}") or ASKS[line.title]
        return asking(place, self.world)

    def address(self, name: str, path: dict[str, Any]) -> str:
        route = self.routes[name]
        return f"/{route.address}" if route.unnamed else reverse(name, kwargs=path)

    def ask(self, who: str, line: Line, ask: Ask, method: str = "") -> Answer:
        """Send one request, and undo what it did."""
        client = self.clients[who]
        kept = client.cookies.copy()
        arguments: dict[str, Any] = {"query_params": ask.query, "headers": ask.headers}
        if ask.body is not None:
            arguments |= ask.body
        elif ask.data is not None:
            arguments["data"] = ask.data
        mark = transaction.savepoint()
        try:
            send = getattr(client, (method or line.method).lower())
            response = send(self.address(line.route, ask.path), **arguments)
            body = content_of(response)
        finally:
            transaction.savepoint_rollback(mark)
            client.cookies = kept
            cache.clear()
        return Answer(word(response, body, ask.mark), body, response.status_code)


def content_of(response: HttpResponseBase) -> bytes:
    """The whole body."""
    return b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]


def word(response: HttpResponseBase, body: bytes, mark: str) -> str:
    """An answer as the table says it."""
    status = response.status_code
    if status == 302 and response.headers.get("Location", "").startswith("/accounts/login/"):
        return "login"
    if status == 200 and mark and mark.lower().encode() not in body.lower():
        return "empty"
    return str(status)


def agrees(expected: str, answer: Answer) -> bool:
    """Tell whether an answer is the one of the table."""
    if expected == "open":
        return answer.status not in REFUSALS and answer.word != "login"
    return expected == answer.word


def faceless(body: bytes) -> bytes:
    """A refusal's body without what differs between any two requests: keys, UIDs, tokens."""
    return DIFFERS.sub(b"#", body)
