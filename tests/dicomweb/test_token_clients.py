"""A client with a token goes without what pages need, and is answered as it would be with it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings
from django.core import signals
from django.db import close_old_connections

from apps.accounts.domain import Role
from pacs_site.wsgi import application
from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import paths
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db


@contextmanager
def one_connection() -> Iterator[None]:
    """Keep the test's connection open, as Django's test client does."""
    ends = (signals.request_started, signals.request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


def ask(
    path: str, authorization: str, method: str = "GET", body: bytes = b"", content_type: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Ask the application as the web server does."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "HTTP_HOST": "testserver",
        "HTTP_AUTHORIZATION": authorization,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    told: list[Any] = []
    with one_connection():
        answer = application(environ, lambda status, headers: told.extend((status, dict(headers))))
        content = b"".join(answer)
        answer.close()
    return int(told[0][:3]), told[1], content


@pytest.fixture
def token(web) -> str:
    return web.defaults["HTTP_AUTHORIZATION"]


def test_it_stores_and_fetches_as_with_all_middleware(web, token):
    sent = multipart(as_file(ds := ct_slice()))
    form = str(sent["content_type"])
    assert ask("/dicom-web/studies", token, "POST", sent["data"], form)[0] == 200
    _, series, _ = paths(ds)
    status, headers, content = ask(f"{series}/metadata", token)
    whole = web.get(f"{series}/metadata")
    assert (status, content) == (200, whole.content)
    assert headers["ETag"] == whole["ETag"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    left_out = set(whole.headers) - set(headers)
    assert left_out == {"X-Frame-Options", "Content-Security-Policy"}


def test_policy_and_audit_are_asked_all_the_same(client_of, web, token, east):
    ds = ct_slice()
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    _, series, _ = paths(ds)
    stranger = client_of(Role.TECHNOLOGIST, east.code).defaults["HTTP_AUTHORIZATION"]
    assert ask(f"{series}/metadata", stranger)[0] == 404
    assert ask(f"{series}/metadata", "Bearer of-nobody")[0] == 401


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi"])
def test_who_has_no_token_goes_the_way_of_pages(authorization):
    status, headers, _ = ask("/dicom-web/studies", authorization)
    assert status == 401
    assert "Content-Security-Policy" in headers


def test_an_address_that_is_not_there_is_404_and_pages_keep_all_they_need(token):
    status, headers, content = ask("/dicom-web/nonsense/", token)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(content)["status"] == 404
    status, headers, _ = ask("/accounts/login/", token)
    assert status == 200
    assert "Content-Security-Policy" in headers


def test_every_middleware_of_pages_is_in_the_whole_list():
    assert set(settings.MIDDLEWARE_OF_PAGES) < set(settings.MIDDLEWARE)
