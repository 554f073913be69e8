"""The viewer's page and what it starts with."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.core.actors import Actor
from apps.viewer import chrome
from apps.viewer.selectors import Launch, viewer_launch

DICOMWEB = "/dicom-web"


def _launch(request: HttpRequest) -> Launch:
    """The studies named as in IHE IID: repeated, or separated by commas."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    named = ",".join(request.GET.getlist("StudyInstanceUIDs"))
    uids = [uid.strip() for uid in named.split(",") if uid.strip()]
    return viewer_launch(actor, uids, dicomweb=DICOMWEB)


@require_GET
@never_cache
@page(Permission.STUDY_READ)
def viewer(request: HttpRequest) -> HttpResponse:
    """Open studies of one person. Source: IHE RAD TF-2 4.106 (Invoke Image Display)."""
    launch = _launch(request)
    current = launch.studies[0]
    context = {
        "patient": launch.patient,
        "study": current,
        "report": current.report,
        "launch": launch.as_json(),
        "launch_url": f"{reverse('viewer:launch')}?{request.GET.urlencode()}",
        "back_url": reverse("workspace:home"),
        "tools": chrome.TOOLS,
        "actions": chrome.ACTIONS,
        "presets": chrome.PRESETS,
        "layouts": chrome.LAYOUTS,
    }
    return render(request, "viewer/viewer.html", context)


@require_GET
@never_cache
@page(Permission.STUDY_READ)
def launch(request: HttpRequest) -> HttpResponse:
    """The same as JSON, for a viewer that is already open."""
    return JsonResponse(_launch(request).as_json())
