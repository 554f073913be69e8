"""How each address is asked about one place: what stands in the path, the query and the body.

`ASKS` has a line for every line of `matrix.md`. A request must be one that succeeds for whoever may
make it, so that a refusal in the table is a refusal and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.core.uids import new_uid
from apps.reports.models import Report
from tests.access.world import ABSENT, Place, World, another_slice, foreign_slice
from tests.dicomweb.conftest import multipart
from tests.reading.builders import PASSWORD


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes:
        path: arguments of the route.
        mark: what an answer that shows the object must contain, and one that hides it must not.
        same: whether the request is the same for every place: it names no object.
    """

    path: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    mark: str = ""
    same: bool = False

    def absent(self) -> "Ask":
        """The same request for an object that does not exist."""
        gone: dict[str, Any] = {}
        for name, value in self.path.items():
            if isinstance(value, int):
                gone[name] = ABSENT
            elif name in ("study", "series", "instance"):
                gone[name] = new_uid()
            elif name == "key" and "-" in str(value):
                gone[name] = f"{str(value).partition('-')[0]}-{ABSENT}"
            else:
                gone[name] = value
        return Ask(gone, self.query, self.data, self.body, self.headers)


Asking = Callable[[Place, World], Ask]
ASKS: dict[str, Asking] = {}


def plain(**query: Any) -> Asking:
    """A route that names no object."""
    return lambda place, world: Ask(query=query, same=True)


def post(**data: Any) -> Asking:
    """A command that names no object."""
    return lambda place, world: Ask(data=data, same=True)


def one(pick: Callable[[Place], Any], *, shows: bool = True, **data: Any) -> Asking:
    """A page or command about one row: `pk` in the path. A page shows the patient's name."""
    return lambda place, world: Ask(
        {"pk": pick(place).pk}, data=data, mark=place.name if shows and not data else ""
    )


def version(pick: Callable[[Place], Report], **more: Any) -> Asking:
    """A command on a report, at the revision that stands."""
    return lambda place, world: Ask(
        {"pk": pick(place).pk}, data={"revision": pick(place).draft_revision, **more}
    )


def report_form(place: Place, world: World, **more: Any) -> Ask:
    """What the report's page sends without a script: texts, then what is to be done with them."""
    report = place.reports[more.pop("state", "draft")]
    sections = report.draft_sections
    texts = {
        "key": [s["key"] for s in sections],
        "title": [s["title"] for s in sections],
        "text": [s["text"] or "Compared." for s in sections],
    }
    return Ask({"pk": report.pk}, data={"revision": report.draft_revision, **texts, **more})


def appointment(name: str, **data: Any) -> Asking:
    def made(place: Place, world: World) -> Ask:
        held = place.appointments[name]
        return Ask({"pk": held.pk}, data={"version": held.version, **data})

    return made


def undo(name: str, kind: str) -> Asking:
    def made(place: Place, world: World) -> Ask:
        held = place.appointments[name]
        return Ask({"pk": held.pk, "kind": kind, "version": held.version}, data={})

    return made


def step(deed: str, **data: Any) -> Asking:
    return lambda place, world: Ask({"pk": place.steps[deed].pk, "deed": deed}, data=data)


def attention(pick: Callable[[Place], Any], verb: str, **data: Any) -> Asking:
    def made(place: Place, world: World) -> Ask:
        more = {"procedure": world.ct.pk} if verb == "map" else data
        return Ask({"key": pick(place).address, "verb": verb}, data=more)

    return made


def register(key: str, entry: Callable[[World], Any] | None = None) -> Asking:
    def made(place: Place, world: World) -> Ask:
        path = {"key": key} | ({"pk": entry(world).pk} if entry else {})
        return Ask(path, same=True)

    return made


def saved(entry: bool) -> Asking:
    """Saving a node: registers differ by their forms, not by who may use them."""

    def made(place: Place, world: World) -> Ask:
        title = world.node.ae_title if entry else "NEWNODE"
        data = {"ae_title": title, "host": "127.0.0.1", "port": 104, "site": "MAIN"}
        path = {"key": "nodes"} | ({"pk": world.node.pk} if entry else {})
        return Ask(path, data=data, same=True)

    return made


def search(*levels: str) -> Asking:
    """A QIDO-RS search that asks for the place's study."""

    def made(place: Place, world: World) -> Ask:
        uid = place.study.study_instance_uid
        path = {"study": uid, "series": place.series}
        asked = {} if levels else {"StudyInstanceUID": uid}
        return Ask({level: path[level] for level in levels}, query=asked, mark=uid)

    return made


def stored(*levels: str, accept: str = "*/*", **more: Any) -> Asking:
    """A WADO-RS request for what the place stores."""

    def made(place: Place, world: World) -> Ask:
        path = {
            "study": place.study.study_instance_uid,
            "series": place.series,
            "instance": place.instance,
        }
        return Ask({level: path[level] for level in levels} | more, headers={"Accept": accept})

    return made


def calendar(place: Place, world: World) -> Ask:
    day = {"site": place.site.code, "date": world.tomorrow.isoformat(), "view": "list"}
    return Ask(query=day, mark=place.name)


STUDY, SERIES, INSTANCE = ("study",), ("study", "series"), ("study", "series", "instance")
PICTURE = "image/jpeg"

ASKS |= {
    "readyz": plain(),
    "metrics": plain(),
    "live/": plain(topic="reading-list"),
    "schema": plain(),
    "workspace:home": plain(),
    "workspace:no-role": plain(),
    "workspace:palette": lambda place, world: Ask(query={"q": place.name}, mark=place.name),
    "workspace:preferences": post(theme="dark"),
    "workspace:patients": lambda place, world: Ask(
        query={"q": place.name}, mark=f"/patients/{place.patient.pk}/"
    ),
    "workspace:patient": one(lambda place: place.patient),
    "workspace:order-new GET": lambda place, world: Ask(
        query={"patient": place.patient.pk}, mark=place.name
    ),
    "workspace:order-new POST": lambda place, world: Ask(
        query={"patient": place.patient.pk},
        data={
            "procedure": world.ct.pk,
            "priority": "routine",
            "reason": "Cough",
            "site": (world.other if place is world.other else world.own).site.pk,
            "all_the_same": "1",
        },
    ),
    "workspace:order-alerts": lambda place, world: Ask(
        query={"patient": place.patient.pk, "procedure": world.ct.pk}
    ),
    "workspace:order": one(lambda place: place.bookable.order),
    "workspace:order-cancel": one(lambda place: place.bookable.order, reason="No longer needed"),
    "workspace:order-accept": one(lambda place: place.vetting, shows=False, x=""),
    "workspace:order-undo": one(lambda place: place.bookable.order, x=""),
    "workspace:attention": lambda place, world: Ask(
        query={"kind": "unknown-procedure"}, mark=place.name
    ),
    "workspace:attention-case": lambda place, world: Ask(
        {"key": place.unknown.address}, mark=place.name
    ),
    "workspace:attention-do verb=map": attention(lambda place: place.unknown, "map"),
    "workspace:attention-do verb=close": attention(
        lambda place: place.unknown, "close", reason="Settled by telephone"
    ),
    "workspace:attention-undo verb=map": attention(lambda place: place.mapped, "map"),
    "workspace:attention-undo verb=reopen": attention(lambda place: place.closed, "reopen"),
    "workspace:audit": plain(),
    "workspace:audit-event": lambda place, world: Ask({"pk": world.event.pk}, same=True),
    "workspace:commitments": lambda place, world: Ask(mark=place.commitment.ae_title),
    "workspace:commitment": lambda place, world: Ask({"pk": place.commitment.pk}),
    "workspace:commitment-retry": one(lambda place: place.commitment, x=""),
    "workspace:versions": one(lambda place: place.image),
    "workspace:version-picture": lambda place, world: Ask(
        {"pk": place.image.pk, "stored": place.version.stored_object_id}
    ),
    "workspace:versions-choose": lambda place, world: Ask(
        {"pk": place.image.pk}, data={"stored": place.version.stored_object_id}
    ),
    "workspace:versions-undo": lambda place, world: Ask(
        {"pk": place.image.pk},
        query=dict.fromkeys(("current", "before"), place.image.stored_object_id),
        data={},
    ),
    "workspace:quarantine": lambda place, world: Ask(mark=place.held.source),
    "workspace:quarantine-object": lambda place, world: Ask({"pk": place.held.pk}),
    "workspace:quarantine-download": lambda place, world: Ask({"pk": place.held.pk}),
    "workspace:quarantine-decide verb=release": lambda place, world: Ask(
        {"verb": "release"}, data={"key": place.held.pk, "reason": "It is good"}
    ),
    "workspace:quarantine-decide verb=discard": lambda place, world: Ask(
        {"verb": "discard"}, data={"key": place.held.pk, "reason": "It is bad"}
    ),
    "workspace:quarantine-undo": lambda place, world: Ask(
        query={"key": place.discarded.pk}, data={}
    ),
    "workspace:quarantine-rules GET": plain(),
    "workspace:quarantine-rules POST": post(source="ae:NODE", action="refuse"),
    "workspace:upload": plain(),
    "workspace:upload-begin": post(),
    "workspace:upload-one": lambda place, world: Ask({"pk": place.uploaded.upload_id}),
    "workspace:upload-offer": lambda place, world: Ask(
        {"pk": place.uploaded.upload_id},
        body={"data": {"files": []}, "content_type": "application/json"},
    ),
    "workspace:upload-wholes": lambda place, world: Ask(
        {"pk": place.uploaded.upload_id},
        body={"data": {"no": "image"}, "content_type": "application/json"},
        headers={"Upload-Files": str(place.uploaded.pk)},
    ),
    "workspace:upload-piece": lambda place, world: Ask(
        {"pk": place.uploaded.pk},
        body={"data": {"a": "piece"}, "content_type": "application/json"},
        headers={"Upload-Offset": "0"},
    ),
    "workspace:upload-end": lambda place, world: Ask({"pk": place.uploaded.upload_id}, data={}),
    "workspace:administration": plain(),
    "workspace:associations": plain(),
    "workspace:storage": plain(),
    "workspace:association": lambda place, world: Ask({"pk": world.association.pk}, same=True),
    "workspace:node": lambda place, world: Ask({"pk": world.node.pk}, same=True),
    "workspace:node-ask question=echo": lambda place, world: Ask(
        {"pk": world.node.pk, "question": "echo"}, data={}, same=True
    ),
    "workspace:register key=users GET": register("users"),
    "workspace:register key=nodes GET": register("nodes"),
    "workspace:register key=peers GET": register("peers"),
    "workspace:register key=nodes POST": saved(entry=False),
    "workspace:new-entry key=users GET": register("users"),
    "workspace:new-entry key=nodes GET": register("nodes"),
    "workspace:new-entry key=peers GET": register("peers"),
    "workspace:new-entry key=nodes POST": saved(entry=False),
    "workspace:entry key=users GET": register("users", lambda world: world.people["scheduler"]),
    "workspace:entry key=nodes GET": register("nodes", lambda world: world.node),
    "workspace:entry key=peers GET": register("peers", lambda world: world.peer),
    "workspace:entry key=nodes POST": saved(entry=True),
    "reading:list": lambda place, world: Ask(mark=place.name),
    "reading:tabs": plain(),
    "reading:next": post(),
    "reading:save-filter": post(list_name="Mine too", modality="CT"),
    "reading:delete-filter": one(lambda place: place.saved_filter, x=""),
    "reading:preview": one(lambda place: place.item),
    "reading:open GET": one(lambda place: place.item, shows=False),
    "reading:open POST": one(lambda place: place.item, x=""),
    "reading:report GET": one(lambda place: place.item, shows=False),
    "reading:report POST": one(lambda place: place.item, x=""),
    "reading:claim": one(lambda place: place.item, x=""),
    "reading:release": one(lambda place: place.item, x=""),
    "reading:toggle": one(lambda place: place.item, x=""),
    "reading:heartbeat": one(lambda place: place.item, x=""),
    "reading:hand-off": lambda place, world: Ask(
        {"pk": place.item.pk}, data={"reader": place.colleague.pk}
    ),
    "reading:force-release": one(lambda place: place.claimed, reason="Gone home"),
    "reports:report": one(lambda place: place.reports["final"]),
    "reports:report state=draft": one(lambda place: place.reports["draft"]),
    "reports:report state=preliminary": one(lambda place: place.reports["preliminary"]),
    "reports:draft": report_form,
    "reports:preliminary": report_form,
    "reports:sign": lambda place, world: report_form(place, world, password=PASSWORD),
    "reports:withdraw": lambda place, world: report_form(
        place, world, state="revised", password=PASSWORD, reason="Wrong patient"
    ),
    "reports:revise": one(lambda place: place.reports["final"], kind="addendum"),
    "reports:discard": one(lambda place: place.reports["revised"], x=""),
    "reports:settle": lambda place, world: Ask(
        {"pk": place.reports["draft"].pk, "kept": place.kept.pk}, data={"take": "1"}
    ),
    "reports:version": lambda place, world: Ask(
        {"pk": place.reports["final"].pk, "number": 1}, mark=place.name
    ),
    "reports:version-pdf": lambda place, world: Ask({"pk": place.reports["final"].pk, "number": 1}),
    "portal:list": lambda place, world: Ask(mark=place.name),
    "portal:result": lambda place, world: Ask(
        {"pk": place.item.requested_procedure_id or 0}, mark=place.name
    ),
    "viewer:viewer": lambda place, world: Ask(
        query={"StudyInstanceUIDs": place.study.study_instance_uid}, mark=place.name
    ),
    "viewer:launch": lambda place, world: Ask(
        query={"StudyInstanceUIDs": place.study.study_instance_uid}, mark=place.name
    ),
    "account_login GET": plain(),
    "account_login POST": post(login="nobody", password="wrong"),
    "account_logout GET": plain(),
    "account_logout POST": post(),
    "account_inactive": plain(),
    "account_reauthenticate GET": plain(),
    "account_reauthenticate POST": post(password=PASSWORD),
    "account_change_password GET": plain(),
    "account_change_password POST": post(
        oldpassword=PASSWORD, password1="another-long-one-26", password2="another-long-one-26"
    ),
    "account_confirm_email": lambda place, world: Ask({"key": "x"}, same=True),
    "account_reset_password_from_key": lambda place, world: Ask(
        {"uidb36": "1", "key": "x"}, same=True
    ),
    "dicomweb:studies GET": search(),
    "dicomweb:studies POST": lambda place, world: Ask(body=multipart(foreign_slice()), same=True),
    "dicomweb:series-search": search(),
    "dicomweb:instances-search": search(),
    "dicomweb:study GET": stored(*STUDY),
    "dicomweb:study POST": lambda place, world: Ask(
        {"study": place.study.study_instance_uid}, body=multipart(another_slice(place))
    ),
    "dicomweb:study-metadata": stored(*STUDY),
    "dicomweb:study-rendered": stored(*STUDY, accept=PICTURE),
    "dicomweb:study-thumbnail": stored(*STUDY, accept=PICTURE),
    "dicomweb:study-series": search(*STUDY),
    "dicomweb:study-instances": search(*STUDY),
    "dicomweb:series": stored(*SERIES),
    "dicomweb:series-metadata": stored(*SERIES),
    "dicomweb:series-rendered": stored(*SERIES, accept=PICTURE),
    "dicomweb:series-thumbnail": stored(*SERIES, accept=PICTURE),
    "dicomweb:series-instances": search(*SERIES),
    "dicomweb:instance": stored(*INSTANCE),
    "dicomweb:wado-uri": lambda place, world: Ask(
        query={
            "requestType": "WADO",
            "studyUID": place.study.study_instance_uid,
            "seriesUID": place.series,
            "objectUID": place.instance,
            "contentType": "application/dicom",
        }
    ),
    "dicomweb:instance-metadata": stored(*INSTANCE),
    "dicomweb:instance-rendered": stored(*INSTANCE, accept=PICTURE),
    "dicomweb:instance-thumbnail": stored(*INSTANCE, accept=PICTURE),
    "dicomweb:bulkdata": stored(*INSTANCE, path="7FE00010"),
    "dicomweb:frames": stored(*INSTANCE, frames="1"),
    "dicomweb:frame-rendered": stored(*INSTANCE, accept=PICTURE, frames="1"),
    "dicomweb:frame-thumbnail": stored(*INSTANCE, accept=PICTURE, frames="1"),
    "scheduling:calendar": calendar,
    "scheduling:panel": lambda place, world: Ask(
        query={"exam": place.bookable.pk}, mark=place.name
    ),
    "scheduling:book": lambda place, world: Ask(
        data={
            "exam": place.bookable.pk,
            "room": place.room.pk,
            "start": world.slot().isoformat(),
        }
    ),
    "scheduling:exam": one(lambda place: place.bookable),
    "scheduling:appointment": one(lambda place: place.appointments["booked"]),
    "scheduling:move": lambda place, world: Ask(
        {"pk": place.appointments["booked"].pk},
        data={"room": place.room.pk, "start": world.slot(1).isoformat()},
    ),
    "scheduling:cancel": appointment("booked", reason="The patient is ill"),
    "scheduling:arrive": appointment("booked"),
    "scheduling:check-in": appointment("arrived"),
    "scheduling:noshow": appointment("booked"),
    "scheduling:undo kind=booking": undo("booked", "booking"),
    "scheduling:undo kind=move": undo("moved", "move"),
    "scheduling:undo kind=cancel": undo("cancelled", "cancel"),
    "scheduling:undo kind=arrival": undo("arrived", "arrival"),
    "scheduling:undo kind=noshow": undo("noshow", "noshow"),
    "worklists:perform": plain(),
    "worklists:room": lambda place, world: Ask({"pk": place.room.pk}),
    "worklists:walk-in": one(lambda place: place.room),
    "worklists:take": lambda place, world: Ask(
        {"pk": place.room.pk}, data={"exam": place.bookable.pk}
    ),
}
ASKS |= {
    f"dicomweb:{level}-{what}": stored(*path)
    for level, path in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE))
    for what in ("bulkdata", "pixeldata")
}
ASKS |= {
    f"account_{name}": plain()
    for name in (
        "signup", "email", "email_verification_sent", "set_password", "reset_password",
        "reset_password_done", "reset_password_from_key_done",
    )
}  # fmt: skip
ASKS |= {
    f"worklists:act deed={deed}": step(deed, **({"reason": "Moved"} if deed == "stop" else {}))
    for deed in (
        "arrive", "ready", "missed", "start", "end", "stop",
        "undo-arrival", "undo-missed", "undo-exam",
    )
}  # fmt: skip
