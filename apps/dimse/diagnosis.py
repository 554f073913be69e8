"""What a person is told about an association: how it went, and what to do where it did not."""

from collections.abc import Iterator

from django.conf import settings
from pydicom.uid import UID

from apps.dimse.domain import OTHER_CERTIFICATE, TLS_REQUIRED, End, Finding
from apps.dimse.models import AssociationRecord
from apps.dimse.statuses import is_warning
from apps.dimse.tls_words import tls_words
from apps.dimse.upper import pdu

CANCELLED = 0xFE00
_TLS_HELLO = "first byte 0x16"
_PENDING = (0xFF00, 0xFF01)


_REJECTIONS = {
    "1.3": (
        "Its calling AE title is not registered here, or is switched off",
        "Register {calling} under DICOM nodes in just these letters, or change it at the device.",
    ),
    TLS_REQUIRED: (
        "It called without TLS, and is registered to call over TLS only",
        (
            "Switch TLS on at the device and send it to port {tls_port}; or untick “Calls us over "
            "TLS” for {calling} under DICOM nodes."
        ),
    ),
    OTHER_CERTIFICATE: (
        "Its certificate is not the one that {calling} has to show",
        (
            "It showed {subject}. If that is right, name it for {calling} under DICOM nodes; else "
            "another device uses this AE title."
        ),
    ),
    "1.7": (
        "It called us “{called}”, which is not our AE title",
        "Set the called (remote) AE title of this archive to ours at the device.",
    ),
    "1.2": (
        "It asked for another application context than DICOM's",
        "This is no usual DICOM program; ask its maker.",
    ),
    "1.1": (
        "The user identity it gave was not accepted",
        "Give the device a valid token, or switch off user identity there.",
    ),
    "2.2": ("It speaks another version of the protocol", "Ask its maker; this is very unusual."),
    "3.1": (
        "We could not look up who it is: the database did not answer",
        "It may try again. Look at /readyz and the log if this goes on.",
    ),
    "3.2": (
        "Too many associations were open at once",
        "It may try again. If this goes on, find who keeps many open: search by address.",
    ),
}

_STATUSES = {
    0x0124: (
        "{service} was refused: it may not ask for this",
        "Tick the service for this node under Administration, DICOM nodes.",
    ),
    0x0112: (
        "{service}: what it named does not exist here, or is not its to see",
        "If it should be here, look whether it was sent, and for which site.",
    ),
    0x0211: ("{service} is not a service we offer", "Switch it off at the device."),
    0x0122: ("{service}: the SOP class is not the one of its context", "Ask the device's maker."),
    0xA700: (
        "{service}: no room, or the database or the archive did not answer",
        "Look at the disk and at /readyz. The sender has to send again.",
    ),
    0xA701: ("{service}: matches could not be counted", "Look at the log of the listener."),
    0xA702: (
        "{service}: no object could be sent",
        "Look whether the destination is up, and takes these kinds of objects.",
    ),
    0xA801: (
        "{service}: the destination is not registered here",
        "Register the AE title it wants the images sent to, with its address.",
    ),
    0xA900: (
        "{service}: the data set does not fit what was asked or negotiated",
        "Look at the log; often a required key or UID is missing or wrong.",
    ),
    0xC000: (
        "{service}: the data set could not be understood",
        "The object or the query is damaged or incomplete; the log names the element.",
    ),
}  # fmt: skip


def is_failure(row: AssociationRecord) -> bool:
    """Tell whether a person may want to look at it."""
    return next(findings(row), None) is not None


def findings(row: AssociationRecord) -> Iterator[Finding]:
    """Yield what went wrong, the gravest first."""
    yield from _of_end(row)
    yield from _of_contexts(row)
    yield from _of_messages(row)


def summary(row: AssociationRecord) -> str:
    """Say in a line how it went."""
    first = next(findings(row), None)
    if first is not None:
        return first.what
    count = sum(row.messages.values())
    if not count:
        return "Opened and closed"
    warned = sum(times for key, times in row.messages.items() if is_warning(_status(key)))
    answers = f"{count} answer{'' if count == 1 else 's'}"
    return f"{answers}, {warned} with a warning" if warned else f"{answers}, all well"


def _status(key: str) -> int:
    """Return the status of what a record counts: `C-STORE 0000H`."""
    return int(key.rpartition(" ")[2].rstrip("H"), 16)


def _of_end(row: AssociationRecord) -> Iterator[Finding]:
    calling = row.calling_ae or row.address
    match End(row.end):
        case End.REJECTED:
            what, todo = _REJECTIONS.get(
                row.rejection, ("We refused it", "Look at the log for the reason.")
            )
            facts = {
                "called": row.called_ae,
                "calling": calling,
                "subject": row.tls.get("subject", "none"),
                "tls_port": settings.ISOCENTER_DICOM_TLS_PORT,
            }
            yield Finding(what.format(**facts), todo.format(**facts))
        case End.TLS_FAILED:
            yield tls_words(row.rejection, row.words.removeprefix("TLS: "))
        case End.TIMED_OUT if row.tls and not row.contexts:
            yield Finding(
                "It connected to the TLS port, but did not ask for an association in time",
                "The network loses what is sent, or something tries the port.",
            )
        case End.TIMED_OUT if not row.contexts:
            yield Finding(
                "It connected, but did not ask for an association in time",
                "Another program may talk to this port, or the network loses what is sent. If it "
                "expects TLS, send it to the TLS port.",
            )
        case End.TIMED_OUT if row.in_message:
            yield Finding(
                "It stopped in the middle of a message",
                "The device or the network hung. What it was sending was not kept; it has to send "
                "it again.",
            )
        case End.TIMED_OUT:
            yield Finding(
                "It kept the association open without a word until we ended it",
                "Harmless, unless many do so: set a shorter idle time at the device.",
            )
        case End.ABORTED_BY_PEER:
            yield Finding(
                "It aborted the association",
                "Look at the device's own log: somebody stopped it there, or it did not like an "
                "answer. " + ("Its last message was not finished." if row.in_message else ""),
            )
        case End.LOST:
            yield Finding(
                "The connection broke "
                + ("in a message" if row.in_message else "between messages"),
                "The device was switched off or restarted, or the network between us failed. "
                "What was acknowledged is safe; the rest has to be sent again.",
            )
        case End.ABORTED_BY_US if row.words.endswith(_TLS_HELLO):
            yield Finding(
                "It spoke TLS at the port without TLS",
                f"Send it to port {settings.ISOCENTER_DICOM_TLS_PORT}, or switch TLS off at the "
                "device.",
            )
        case End.ABORTED_BY_US:
            yield Finding(
                f"We ended it: {row.words.removeprefix('aborted: ')}",
                "It sent what DICOM does not allow at that point. If it is no DICOM program, it "
                "has the wrong port; else its maker needs to see this page.",
            )
        case End.SHUT_DOWN if row.in_message:
            yield Finding("We shut down while it was sending", "It has to send the rest again.")
        case _:
            return


def _of_contexts(row: AssociationRecord) -> Iterator[Finding]:
    accepted = any(result == pdu.ACCEPTED for _, _, _, result, _ in row.contexts)
    if row.end == End.REJECTED or not row.contexts:
        return
    served = {abstract for _, abstract, _, result, _ in row.contexts if result == pdu.ACCEPTED}
    for reason, what, todo in (
        (
            pdu.ABSTRACT_SYNTAX_NOT_SUPPORTED,
            "We do not offer",
            "Switch it off at the device, or ignore this if it works without.",
        ),
        (
            pdu.TRANSFER_SYNTAXES_NOT_SUPPORTED,
            "No transfer syntax in common for",
            "Allow Implicit or Explicit VR Little Endian for it at the device.",
        ),
    ):
        names = sorted(
            {
                name_of(abstract)
                for _, abstract, _, result, _ in row.contexts
                if result == reason and abstract not in served
            }
        )
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
            yield Finding(f"{what} {shown}", todo)
    if not accepted:
        yield Finding(
            "Nothing it proposed was accepted, so it could do nothing",
            "See above; then try again.",
        )


def _of_messages(row: AssociationRecord) -> Iterator[Finding]:
    for key in sorted(row.messages):
        service, _, code = key.rpartition(" ")
        status = _status(key)
        if status in (0, CANCELLED, *_PENDING) or is_warning(status):
            continue
        what, todo = _STATUSES.get(
            status, ("{service} failed with status {code}", "Look at the log for the reason.")
        )
        yield Finding(
            f"{what.format(service=service, code=code)} ({row.messages[key]} times)", todo
        )


def name_of(uid: str) -> str:
    """Return the name of a SOP class or transfer syntax, the UID where the standard has none."""
    return UID(uid).name if uid else "nothing"
