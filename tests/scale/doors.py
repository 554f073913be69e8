"""Asking the eight queries through the product's doors, with the time of each."""

import contextlib
import http.client
import http.cookiejar
import math
import socket
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from tests.scale.workload import (
    EightQuery,
    find_identifier,
    worklist_identifier,
)

Asker = Callable[[EightQuery, dict[str, str]], int]
"""Asks once and returns how many answers came."""
WARMING = 5
FIND = {
    "find": (StudyRootQueryRetrieveInformationModelFind, find_identifier),
    "worklist": (ModalityWorklistInformationFind, worklist_identifier),
}


@dataclass(frozen=True)
class Latency:
    """Of one query, in milliseconds; `answers` is the median number of rows."""

    p50: float
    p95: float
    answers: float


@dataclass
class Doors:
    """Where the product listens, and who asks."""

    url: str
    dicom_port: int
    token: str
    password: str
    username: str = "admin"
    ae_title: str = "ISOCENTER"

    def asker(self, door: str) -> contextlib.AbstractContextManager[Asker]:
        """Open the door of a query."""
        if door == "qido":
            return self.qido()
        return self.page("/reading/") if door == "reading" else self.dimse(door)

    @contextlib.contextmanager
    def qido(self) -> Iterator[Asker]:
        """One connection that stays open, with a token."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/dicom+json",
        }

        def ask(query: EightQuery, keys: dict[str, str]) -> int:
            connection.request("GET", query.path(keys), headers=headers)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body[:500]
            return body.count(b'"0020000D"')

        yield ask
        connection.close()

    @contextlib.contextmanager
    def page(self, path: str) -> Iterator[Asker]:
        """A page, signed in as a person."""
        cookies = self.sign_in()
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

        def ask(query: EightQuery, keys: dict[str, str]) -> int:
            connection.request("GET", path, headers={"Cookie": cookies})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, response.status
            return body.count(b'data-item="') or body.count(b"<tr")

        yield ask
        connection.close()

    def sign_in(self) -> str:
        """Sign in through the form and return the cookies."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        login = f"{self.url}/accounts/login/"
        opener.open(login, timeout=30).read()
        csrf = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
        form = {"login": self.username, "password": self.password, "csrfmiddlewaretoken": csrf}
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(login, body, {"Referer": login})
        opener.open(request, timeout=30).read()
        cookies = {cookie.name: cookie.value for cookie in jar}
        assert "sessionid" in cookies, cookies
        return "; ".join(f"{name}={value}" for name, value in cookies.items())

    @contextlib.contextmanager
    def dimse(self, service: str) -> Iterator[Asker]:
        """One association that stays open."""
        context, identifier = FIND[service]
        entity = AE(ae_title="SCALE")
        entity.add_requested_context(context)
        association = entity.associate("127.0.0.1", self.dicom_port, ae_title=self.ae_title)
        assert association.is_established
        # pynetdicom leaves Nagle's algorithm on, and would wait 40 ms for our acknowledgement
        association.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(query: EightQuery, keys: dict[str, str]) -> int:
            answers = list(association.send_c_find(identifier(keys), context))
            statuses = [status.Status for status, _ in answers]
            assert statuses[-1] == 0x0000, statuses
            return len(statuses) - 1

        yield ask
        association.release()


def beside(
    query: EightQuery, first: tuple[Asker, list[dict[str, str]]],
    second: tuple[Asker, list[dict[str, str]]],
) -> tuple[Latency, Latency]:  # fmt: skip
    """Ask two installations in turn, once for each set of keys, so that what else the machine does
    meets both; the first few warm up and do not count."""
    times: tuple[list[float], list[float]] = ([], [])
    answers: tuple[list[int], list[int]] = ([], [])
    for number, pair in enumerate(zip(first[1], second[1], strict=True)):
        for which in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            found = (first, second)[which][0](query, pair[which])
            took = (time.perf_counter() - began) * 1000
            if number >= WARMING:
                times[which].append(took)
                answers[which].append(found)
    return latency(times[0], answers[0]), latency(times[1], answers[1])


def latency(took: list[float], answers: list[int]) -> Latency:
    """Sum the times of one query up."""
    ordered = sorted(took)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return Latency(statistics.median(ordered), p95, statistics.median(answers))
