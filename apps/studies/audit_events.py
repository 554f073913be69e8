"""Audited events of studies."""

from apps.audit.models import Action
from apps.audit.registry import register

STORED = register("studies.instances.stored", Action.CREATE, "Stored images")
REFUSED = register(
    "studies.instances.refused", Action.CREATE, "Tried to store images that were refused"
)
SEARCHED = register("studies.search", Action.EXECUTE, "Searched studies")
RETRIEVED = register("studies.retrieved", Action.READ, "Retrieved images")
VIEWED = register("studies.viewed", Action.READ, "Viewed images")
ACCESS_REFUSED = register("studies.access-refused", Action.READ, "Was refused images")
MATCHED = register("studies.study.matched", Action.UPDATE, "Joined a study to its order")
UNMATCHED = register("studies.study.unmatched", Action.UPDATE, "Took a study from its order")
COMPLETED = register("studies.study.completed", Action.UPDATE, "Judged a study complete")
ACCEPTED = register("studies.study.accepted", Action.UPDATE, "Called a study complete as it is")
ACCEPT_UNDONE = register(
    "studies.study.accept-undone", Action.UPDATE, "Took back that a study is complete as it is"
)
QUARANTINED = register(
    "studies.quarantine.held", Action.CREATE, "Sent objects that wait in quarantine"
)
QUARANTINE_VIEWED = register("studies.quarantine.viewed", Action.READ, "Looked into the quarantine")
RELEASED = register(
    "studies.quarantine.released", Action.UPDATE, "Released an object from quarantine"
)
DISCARDED = register(
    "studies.quarantine.discarded", Action.UPDATE, "Discarded an object in quarantine"
)
RESTORED = register(
    "studies.quarantine.restored", Action.UPDATE, "Put a discarded object back into quarantine"
)
DOWNLOADED = register(
    "studies.quarantine.downloaded", Action.READ, "Downloaded an object in quarantine"
)
PURGED = register("studies.quarantine.purged", Action.DELETE, "Removed decided quarantine files")
RULE_SAVED = register("studies.intake-rule.saved", Action.UPDATE, "Changed a rule of intake")
VERSION_CHOSEN = register(
    "studies.version.chosen", Action.UPDATE, "Chose which version of an image is current"
)
VERSION_UNDONE = register(
    "studies.version.undone", Action.UPDATE, "Took back the choice of an image's version"
)
VERSIONS_VIEWED = register(
    "studies.versions.viewed", Action.READ, "Compared the versions of an image"
)
UPLOAD_VIEWED = register("studies.upload.viewed", Action.READ, "Looked at what an upload brought")
UPLOAD_ABANDONED = register(
    "studies.upload.abandoned",
    Action.DELETE,
    "Removed pieces of uploads nobody went on with",
)
