"""The conformance statement as a document in the form of PS3.2 Annex A.

The words are in `templates/conformance/statement.md`; what changes with the code is put in here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

Facts = Mapping[str, Any]
SERVICE_WORDS = {
    "echo": "Verification",
    "store": "Storage",
    "find": "Query/Retrieve, C-FIND",
    "move": "Query/Retrieve, C-MOVE",
    "get": "Query/Retrieve, C-GET",
    "worklist": "Modality Worklist, C-FIND",
    "mpps": "Modality Performed Procedure Step, N-CREATE and N-SET",
    "commit": "Storage Commitment Push Model, N-ACTION",
}


def render(facts: Facts) -> str:
    """Return the whole document."""
    dimse, web = facts["dimse"], facts["dicomweb"]
    tables = _overview(dimse, web) | _dimse(dimse) | _policies(dimse) | _web(web)
    tables["character_sets"] = _code(facts["character_sets"])
    tables["configuration"] = _table(
        ("Variable", "Here", "What for"),
        [(f"`{one['name']}`", f"`{one['value']}`", one["what"]) for one in facts["configuration"]],
    )
    safe: dict[str, SafeString] = {name: mark_safe(text) for name, text in tables.items()}  # noqa: S308 - no HTML
    return render_to_string("conformance/statement.md", {**facts, "tables": safe})


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---" for _ in head], *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


def _code(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _uids(head: str, ones: Iterable[Facts]) -> str:
    return _table((head, "UID"), [(one["name"], f"`{one['uid']}`") for one in ones])


def _names(ones: Iterable[Facts]) -> str:
    return ", ".join(one["name"] for one in ones)


def _where(one: Facts) -> str:
    within = f"{one['within']} > " if one["within"] else ""
    return f"{within}{one['keyword']}"


def _overview(dimse: Facts, web: Facts) -> dict[str, str]:
    asked = dimse["asked"]
    provided = [
        (one["name"], "yes, to try a node" if one["uid"] in asked else "no", "yes")
        for one in dimse["served"]
    ]
    return {
        "overview": _table(
            ("Network service", "User (SCU)", "Provider (SCP)"),
            [("Storage", "yes, sub-operations of C-MOVE", "yes"), *provided],
        ),
        "web_overview": _table(
            ("DICOMweb transaction", "User agent", "Origin server"),
            [(name, "no", "yes") for name in web["transactions"]],
        ),
    }


def _dimse(dimse: Facts) -> dict[str, str]:
    syntaxes = _names(dimse["uncompressed"])
    words = dimse["option_words"]
    return {
        "served": _table(
            ("SOP class", "UID", "Service", "Transfer syntaxes"),
            [
                (one["name"], f"`{one['uid']}`", SERVICE_WORDS[one["service"]], syntaxes)
                for one in dimse["served"]
            ],
        ),
        "statuses": "\n\n".join(
            f"**{SERVICE_WORDS[service]}** answers:\n\n"
            + _table(("Status", "Meaning"), answers.items())
            for service, answers in dimse["statuses"].items()
        ),
        "storage": _uids("Storage SOP class", dimse["storage"]),
        "transfer_syntaxes": _uids("Transfer syntax", dimse["storage_transfer_syntaxes"]),
        "levels": "\n".join(
            f"- {root.capitalize()} root: {', '.join(levels)}."
            for root, levels in dimse["levels"].items()
        ),
        "options": _table(
            ("SOP class", "Options, in the order of their bytes"),
            [
                (name, "; ".join(words[option] for option in options))
                for name, options in dimse["options"].items()
            ],
        ),
        "keys": "\n\n".join(
            f"**{level}**\n\n" + _keys([one for one in dimse["keys"] if one["level"] == level])
            for level in dict.fromkeys(one["level"] for one in dimse["keys"])
        ),
        "targets": _names(dimse["transcoded_to"]),
        "never_transcoded": _names(dimse["never_transcoded"]),
        "worklist": _table(
            ("Attribute", "Tag", "VR"),
            [(_where(one), one["tag"], one["vr"]) for one in dimse["worklist_keys"]],
        ),
        **{f"mpps_{what}": _code(names) for what, names in dimse["mpps"].items()},
    }


def _keys(keys: Iterable[Facts]) -> str:
    return _table(
        ("Attribute", "Tag", "VR", "Key", "Matching"),
        [
            (
                _where(one),
                one["tag"],
                one["vr"],
                "unique" if one["unique"] else "",
                one["matching"] or "returned only",
            )
            for one in keys
        ],
    )


def _policies(dimse: Facts) -> dict[str, str]:
    most = f"{dimse['associations']} in each of {dimse['processes']} processes"
    rows = (
        ("Application context", f"`{dimse['application_context']}`"),
        ("Implementation class UID", f"`{dimse['implementation_class_uid']}`"),
        ("Implementation version name", f"`{dimse['implementation_version_name']}`"),
        ("PDU size received, as acceptor", f"{dimse['max_pdu_received']} bytes"),
        ("PDU size received, as requestor", f"{dimse['max_pdu_received_as_requestor']} bytes"),
        ("PDU size sent", "what the peer receives"),
        ("Identifier size", f"{dimse['max_identifier']} bytes at most"),
        ("Asynchronous operations", "not supported: a window of 1/1 is answered"),
        ("Associations at a time", f"{most}; beyond them A-ASSOCIATE-RJ, local limit exceeded"),
        ("Wait for the request", f"{dimse['artim_seconds']:g} s"),
        ("Wait within a message", f"{dimse['message_seconds']:g} s"),
        ("Wait between messages", f"{dimse['idle_seconds']:g} s"),
        ("Role selection", "agreed as proposed for storage SOP classes (C-GET)"),
    )
    return {
        "policies": _table(("Parameter", "Value"), rows),
        "verbs": _code(dimse["verbs"]),
        "identities": _table(("Type", "Proof"), dimse["identities"].items()),
    }


def _web(web: Facts) -> dict[str, str]:
    return {
        "resources": _table(
            ("Address", "Method", "What", "Media types", "Parameters"),
            [
                (
                    f"`{one['address'].removeprefix(web['root'])}`",
                    ", ".join(one["methods"]) + (f" of {_code(one['takes'])}" * bool(one["takes"])),
                    one["what"],
                    _code(one["gives"]),
                    _code(one["parameters"]),
                )
                for one in web["resources"]
            ],
        ),
        "frame_types": _table(
            ("Transfer syntax", "Media type of a frame"),
            [(f"`{uid}`", f"`{kind}`") for uid, kind in web["frame_types"].items()],
        ),
        "errors": _table(
            ("Status", "Code", "Meaning"),
            [(one["status"], f"`{one['code']}`", one["words"]) for one in web["errors"]],
        ),
        "reasons": _table(
            ("Reason", "Meaning"),
            [
                *((one["reason"], one["words"]) for one in web["failure_reasons"]),
                *((one["reason"], f"Warning: {one['words']}") for one in web["warning_reasons"]),
            ],
        ),
    }
