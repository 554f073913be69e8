"""Django as WSGI: everything but `/live/` runs here, in worker threads."""

import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, cast

import django
from django.conf import settings
from django.core.handlers.wsgi import LimitedStream, WSGIHandler, WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")

STREAMED = "/dicom-web/"
"""Below it bodies are read as streams, never whole, and may come in chunks without a length."""
NO_LIMIT = 1 << 62


class Request(WSGIRequest):
    """A request whose body may end without having told its length (RFC 9112 7.1).

    Django takes such a body for empty. It stays so outside `STREAMED`, where forms are read into
    memory and their length is what bounds them.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        terminated = environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH")
        if terminated and self.path_info.startswith(STREAMED):
            self._stream = cast("BinaryIO", LimitedStream(environ["wsgi.input"], NO_LIMIT))


class Handler(WSGIHandler):
    """Django's, with our request."""

    request_class = Request


class ClientHandler(Handler):
    """For a client with a token: without `MIDDLEWARE_OF_PAGES`."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        """Build the chain of the middleware that is left."""
        whole = settings.MIDDLEWARE
        settings.MIDDLEWARE = [one for one in whole if one not in settings.MIDDLEWARE_OF_PAGES]
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = whole


django.setup(set_prefix=False)

from apps.accounts.authentication import token_of  # noqa: E402 - Django is set up first

_pages, _clients = Handler(), ClientHandler()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request."""
    client = environ["PATH_INFO"].startswith(STREAMED) and token_of(environ)
    return (_clients if client else _pages)(environ, start_response)
