"""Looking into the quarantine. What is of another site does not exist."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from django.db.models import QuerySet
from pydicom import Dataset, dcmread
from pydicom.datadict import keyword_for_tag

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity, User
from apps.archive.models import Location
from apps.archive.storage import storage_named
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.studies.domain import IntakeAction, QuarantineState
from apps.studies.models import IntakeRule, QuarantinedObject

FIELDS = policy.Fields(confidentiality="", patient="")
HEADER_BYTES = 256 * 1024
SHOWN_ELEMENTS = 400
SHOWN_CHARACTERS = 200
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True, slots=True)
class Line:
    """One element of a header, as a person reads it."""

    tag: str
    name: str
    vr: str
    value: str
    depth: int


def quarantined_visible_to(
    actor: Actor, permission: Permission = Permission.STUDY_RECONCILE
) -> QuerySet[QuarantinedObject]:
    """Return the quarantined objects of the actor's sites."""
    return QuarantinedObject.objects.filter(policy.visible(actor, permission, FIELDS))


def quarantined_access(
    actor: Actor, key: int, permission: Permission = Permission.STUDY_RECONCILE
) -> QuarantinedObject:
    """Return one quarantined object.

    Raises:
        NotFoundError: absent, or of another site.
    """
    row = (
        quarantined_visible_to(actor, permission)
        .select_related("site", "stored_object")
        .filter(pk=key)
        .first()
    )
    if row is None:
        raise NotFoundError(item=key)
    return row


def quarantined_file(row: QuarantinedObject) -> Iterator[bytes]:
    """Yield the whole file, our file meta information before the data set as it came.

    Raises:
        ConflictError: the file was removed after the object was decided.
    """
    location = _location(row)
    return storage_named(location.storage).open(location.key, 0, row.size_bytes)


def quarantined_header(row: QuarantinedObject) -> list[Line]:
    """Return the elements of the header as far as they can be read, pixel data aside.

    What cannot be read ends the list; it never raises for what a file holds.
    """
    location = _location(row)
    head = storage_named(location.storage).read(location.key, 0, min(row.size_bytes, HEADER_BYTES))
    try:
        ds = dcmread(BytesIO(head), stop_before_pixels=True, force=True)
        return list(_lines(ds, 0))[:SHOWN_ELEMENTS]
    except Exception:  # any bytes may lie here, and a person may still decide
        return []


def _lines(ds: Dataset, depth: int) -> Iterator[Line]:
    for tag in sorted(ds.keys()):
        try:
            element = ds[tag]
            name, vr = element.name, str(element.VR)
            if vr == "SQ":
                value = f"{len(element.value)} item{'' if len(element.value) == 1 else 's'}"
            elif vr in BINARY:
                value = f"{len(element.value or b''):,} bytes"
            else:
                value = str(element.value)[:SHOWN_CHARACTERS]
        except Exception as error:  # one bad element does not hide the others
            name, vr, value, element = keyword_for_tag(tag), "", f"cannot be read: {error}", None
        yield Line(f"{tag.group:04X},{tag.element:04X}", name, vr, value, depth)
        if element is not None and vr == "SQ" and depth < 2:
            for item in element.value:
                yield from _lines(item, depth + 1)


def _location(row: QuarantinedObject) -> Location:
    location = Location.objects.filter(stored_object=row.stored_object_id or 0).first()
    if location is None:
        message = "Its file was removed after it was decided."
        raise ConflictError(message)
    return location


def held_count(actor: Actor) -> int:
    """Return how many objects wait for the actor to decide."""
    return quarantined_visible_to(actor).filter(state=QuarantineState.HELD).count()


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One source of objects, with the rule that holds for it."""

    key: str
    name: str
    what: str
    action: IntakeAction
    probe_pixels: bool
    own: bool


def source_rules() -> list[SourceRule]:
    """Return every registered sender with the rule that holds for it; everyone else first."""
    rules = {rule.source: rule for rule in IntakeRule.objects.all()}
    others = rules.get("*")
    senders = [("*", "Everyone else", "any sender without a rule of its own")]
    senders += [
        (f"ae:{ae.ae_title}", ae.ae_title, ae.description or "DICOM node")
        for ae in ApplicationEntity.objects.order_by("ae_title")
    ]
    senders += [
        (f"user:{user.pk}", str(user), f"account {user.username}")
        for user in User.objects.filter(is_active=True).order_by("username")
    ]
    known = {key for key, _, _ in senders}
    senders += [(key, key.partition(":")[2], "not registered") for key in sorted(rules)
                if key not in known]  # fmt: skip
    found = []
    for key, name, what in senders:
        rule = rules.get(key) or others
        found.append(
            SourceRule(
                key,
                name,
                what,
                IntakeAction(rule.action) if rule else IntakeAction.ACCEPT,
                rule.probe_pixels if rule else False,
                key in rules,
            )
        )
    return found
