"""Asking the eight queries through the product's doors, with the time of each."""

import contextlib
import http.client
import http.cookiejar
import math
import random
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
    EIGHT,
    Ask,
    EightQuery,
    find_identifier,
    worklist_identifier,
)

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

    def measure(self, ask: Ask, count: int, seed: int = 1) -> dict[str, Latency]:
        """Ask each of the eight so many times, each time with other keys."""
        found = {}
        with contextlib.ExitStack() as stack:
            askers = {
                "qido": stack.enter_context(self.qido()),
                "reading": stack.enter_context(self.page("/reading/")),
                "find": stack.enter_context(self.dimse("find")),
                "worklist": stack.enter_context(self.dimse("worklist")),
            }
            for query in EIGHT:
                keys = query.keys(ask, random.Random(seed), count + 5)
                found[query.name] = timed(askers[query.door], query, keys)
        return found

    @contextlib.contextmanager
    def qido(self) -> Iterator[Callable[[EightQuery, dict[str, str]], int]]:
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
    def page(self, path: str) -> Iterator[Callable[[EightQuery, dict[str, str]], int]]:
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
    def dimse(self, service: str) -> Iterator[Callable[[EightQuery, dict[str, str]], int]]:
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


def timed(
    ask: Callable[[EightQuery, dict[str, str]], int], query: EightQuery, keys: list[dict[str, str]]
) -> Latency:
    """Ask once for each set of keys; the first five warm up and do not count."""
    took, answers = [], []
    for one in keys:
        began = time.perf_counter()
        answers.append(ask(query, one))
        took.append((time.perf_counter() - began) * 1000)
    took, answers = sorted(took[5:]), answers[5:]
    p95 = took[min(len(took) - 1, math.ceil(0.95 * len(took)) - 1)]
    return Latency(statistics.median(took), p95, statistics.median(answers))
