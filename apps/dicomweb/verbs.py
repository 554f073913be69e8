"""One address, several transactions."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponseBase]


def by_method(**views: View) -> View:
    """Return a view that hands each method to its own; each of them guards itself."""

    @csrf_exempt
    def dispatch(request: HttpRequest, **uids: str) -> HttpResponseBase:
        view = views.get("GET" if request.method == "HEAD" else request.method or "")
        if view is None:
            return HttpResponse(status=405, headers={"Allow": ", ".join(views)})
        return view(request, **uids)

    dispatch.views = views  # type: ignore[attr-defined]
    return dispatch
