"""The command palette: what a person may look for and where they may go, as JSON."""

from dataclasses import asdict, dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from apps.core.actors import Actor
from apps.workspace.navigation import rail_for


@dataclass(frozen=True, slots=True)
class Item:
    """One line: words, a fainter detail, and the address it leads to."""

    icon: str
    text: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one kind under a title."""

    title: str
    items: list[Item]


def pages(actor: Actor, query: str) -> Group:
    """Pages of the rail whose words contain the query."""
    found = [e for e in rail_for(actor) if query.lower() in e.words.lower()]
    return Group("Pages", [Item(e.icon, e.words, "", e.url) for e in found])


@require_GET
@login_required
def palette(request: HttpRequest) -> JsonResponse:
    """Answer `?q=` with groups of what the person may open; empty groups are left out."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    query = request.GET.get("q", "").strip()
    groups = [pages(actor, query)]
    return JsonResponse({"groups": [asdict(g) for g in groups if g.items]})
