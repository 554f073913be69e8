"""The kinds of break, and what each needs: words for its rows, a case, its deeds and their undo."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.accounts.domain import Permission
from apps.accounts.models import AttentionItem
from apps.core.actors import Actor
from apps.core.chain import ChainLink


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list: what, who, where."""

    title: str
    who: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """A button under the case: the verb it sends, its words, and the permission it needs."""

    verb: str
    words: str
    permission: Permission = Permission.ATTENTION_RESOLVE
    key: str = ""
    main: bool = False


@dataclass(slots=True)
class Case:
    """One break as a person sees it."""

    title: str
    why: str
    template: str = "workspace/attention/plain.html"
    chain: list[ChainLink] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    links: list[tuple[str, str, str]] = field(default_factory=list)  # icon, words, address
    patient_id: int | None = None
    study: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What a deed did, in words, and what takes it back: a verb and its facts."""

    words: str
    undo: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


Said = Mapping[str, str]
Act = Callable[[Actor, Any, Said, datetime.datetime], Done]
Undo = Callable[[Actor, Any, Said, datetime.datetime], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of break.

    Attributes:
        key: the `kind` of its rows.
        model: whose rows they are.
        words: in the list of kinds.
        icon: beside them.
        group: heading of the list of kinds it stands under; empty for the first.
        tone: of its count: empty, attn or crit.
        lines: the words of many rows at once, by primary key.
        case: one row as a case.
        acts: verb to deed; the command behind it authorises.
        undos: verb to what takes it back; returns the words.
    """

    key: str
    model: type[AttentionItem]
    words: str
    icon: str
    lines: Callable[[Actor, list[Any]], dict[int, Line]]
    case: Callable[[Actor, Any], Case]
    group: str = ""
    tone: str = ""
    acts: Mapping[str, Act] = field(default_factory=dict)
    undos: Mapping[str, Undo] = field(default_factory=dict)
