"""Words about what was just done, with its undo; `static/src/shell/toasts.ts` shows them."""

from typing import Literal

from django.http import HttpResponse
from django_htmx.http import trigger_client_event


def toast(
    response: HttpResponse,
    text: str,
    *,
    undo_url: str = "",
    tone: Literal["done", "attn", "crit"] = "done",
) -> HttpResponse:
    """Have the page that asked show a toast; `undo_url` takes the deed back by POST."""
    detail = {"text": text, "tone": tone} | ({"undo": undo_url} if undo_url else {})
    return trigger_client_event(response, "toast", detail)
