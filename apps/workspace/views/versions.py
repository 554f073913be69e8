"""The versions of one image side by side, and the choice of the one that is current."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from pydicom.uid import UID

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.core.toasts import toast
from apps.core.words import person_name
from apps.studies import audit_events
from apps.studies.imaging import Rendering, UndecodableError, decode_frame, render_frame
from apps.studies.imaging.compare import difference_picture, differences
from apps.studies.models import Instance, StudyAttention
from apps.studies.services.versions import version_choice_undo, version_choose
from apps.studies.steps import OTHER_VERSION
from apps.studies.versions import (
    Kept,
    current_kept,
    instance_access,
    version_access,
    version_kept,
    versions_of,
    why_not_current,
)

EDGE = 640
SHOWN = 300


@require_GET
@page(Permission.STUDY_RECONCILE)
def versions(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the current data set of an image beside one that is kept; `other` and `frame` choose."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    instance = instance_access(actor, pk)
    kept = list(versions_of(instance))
    if not kept:
        raise NotFoundError(instance=pk)
    wanted = _number(request, "other")
    version = next((row for row in kept if row.stored_object_id == wanted), kept[-1])
    _viewed(actor, instance)
    current, other = current_kept(instance), version_kept(instance, version)
    found = differences(current.item, other.item)
    frames = min(current.item.frames, other.item.frames)
    frame = min(_number(request, "frame") or version.differing_frame or 1, frames)
    study = instance.series.study
    context = {
        "instance": instance,
        "study": study,
        "who": person_name(study.received_patient_name),
        "kept": kept,
        "version": version,
        "columns": [_column(current), _column(other)],
        "differing": (found or [])[:SHOWN],
        "count": None if found is None else len(found),
        "refused": why_not_current(instance, other),
        "frame": frame,
        "frames": range(1, frames + 1) if frames <= SHOWN else (),
        "number_of_frames": frames,
        "comparable": (current.item.rows, current.item.columns)
        == (other.item.rows, other.item.columns),
        "is_open": _open_items(instance).exists(),
    }
    return render(request, "workspace/versions.html", context)


@require_GET
@page(Permission.STUDY_RECONCILE)
def picture(request: HttpRequest, pk: int, stored: int) -> HttpResponse:
    """Draw one data set of an image; with `minus`, how far its values are from the current one."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    instance = instance_access(actor, pk)
    current = current_kept(instance)
    chosen = current if stored == current.stored.pk else _version(instance, stored)
    frame = _number(request, "frame") or 1
    _viewed(actor, instance)
    try:
        if "minus" in request.GET:
            body = difference_picture(current.item, chosen.item, frame)
        else:
            drawn = decode_frame(chosen.item, frame)
            scale = max(drawn.pixels.shape[:2]) > EDGE
            rendering = Rendering(media_type="image/png", viewport=(EDGE, EDGE) if scale else None)
            body = render_frame(drawn, rendering)
    except UndecodableError as error:
        raise NotFoundError(error.message) from error
    return HttpResponse(
        body, content_type="image/png", headers={"Cache-Control": "private, no-store"}
    )


@require_POST
@page(Permission.STUDY_RECONCILE)
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a data set the current one, or say that the current one stays; it can be undone."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    back = reverse("workspace:versions", kwargs={"pk": pk})
    stored = request.POST.get("stored", "")
    try:
        choice = version_choose(
            actor=actor,
            instance_id=pk,
            stored_object_id=int(stored) if stored.isdecimal() else 0,
            at=clock.now(),
        )
    except ConflictError as error:
        messages.error(request, error.message)
        return redirect(back)
    words = "The other one is current now, at every door"
    if choice.current_id == choice.before_id:
        words = "The current one stays"
    query = urlencode({"current": choice.current_id, "before": choice.before_id})
    address = f"{reverse('workspace:versions-undo', kwargs={'pk': pk})}?{query}"
    messages.success(request, words, extra_tags=address)
    return redirect(back)


@require_POST
@page(Permission.STUDY_RECONCILE)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a choice back; a toast says so, and once more after the page has loaded itself anew."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    version_choice_undo(
        actor=actor,
        instance_id=pk,
        current_id=_number(request, "current"),
        before_id=_number(request, "before"),
        at=clock.now(),
    )
    words = "As it was before, and open again"
    messages.success(request, words)
    return toast(HttpResponse(status=204), words)


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _version(instance: Instance, stored: int) -> Kept:
    return version_kept(instance, version_access(instance, stored))


def _column(kept: Kept) -> dict[str, Any]:
    item = kept.item
    return {
        "kept": kept,
        "current": kept.version is None,
        "encoding": UID(item.transfer_syntax_uid).name,
        "size": kept.stored.size_bytes,
        "picture": bool(item.rows and item.columns),
        "item": item,
    }


def _open_items(instance: Instance) -> Any:
    return StudyAttention.objects.filter(
        kind=OTHER_VERSION, key=instance.sop_instance_uid, resolved_at=None
    )


def _viewed(actor: Actor, instance: Instance) -> None:
    study = instance.series.study
    record_read(
        actor=actor,
        event=audit_events.VERSIONS_VIEWED,
        door="page",
        patient=study.patient_id,
        study=study.study_instance_uid,
        key=f"instance:{instance.pk}",
    )
