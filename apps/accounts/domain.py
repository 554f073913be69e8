"""Roles, permissions and verbs: who may do what at all, before site and grant are asked."""

import enum


class Permission(enum.StrEnum):
    """What a door asks the policy for."""

    PATIENT_READ = "patient.read"
    PATIENT_WRITE = "patient.write"
    ORDER_READ = "order.read"
    ORDER_WRITE = "order.write"
    SCHEDULE_READ = "schedule.read"
    SCHEDULE_WRITE = "schedule.write"
    WORKLIST_READ = "worklist.read"
    PERFORM_WRITE = "perform.write"
    STUDY_READ = "study.read"
    STUDY_STORE = "study.store"
    STUDY_RECONCILE = "study.reconcile"
    READING_READ = "reading.read"
    READING_CLAIM = "reading.claim"
    READING_RELEASE_OTHERS = "reading.release-others"
    REPORT_READ = "report.read"
    REPORT_READ_PRELIMINARY = "report.read-preliminary"
    REPORT_WRITE = "report.write"
    REPORT_SIGN = "report.sign"
    ATTENTION_READ = "attention.read"
    ATTENTION_RESOLVE = "attention.resolve"
    AUDIT_READ = "audit.read"
    CONFIDENTIAL_READ = "confidential.read"
    ADMINISTER = "administer"


class Role(enum.StrEnum):
    """The parts people play."""

    SCHEDULER = "scheduler"
    TECHNOLOGIST = "technologist"
    RADIOLOGIST = "radiologist"
    REFERRER = "referrer"
    PRIVACY_OFFICER = "privacy"
    ADMINISTRATOR = "admin"


class Verb(enum.StrEnum):
    """What a registered application entity may ask of us (`register_ae --allow`)."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"
    WORKLIST = "worklist"
    MPPS = "mpps"
    COMMIT = "commit"
    UPS = "ups"


class Confidentiality(enum.StrEnum):
    """HL7 v3 Confidentiality, as PV1 and FHIR meta.security carry it."""

    NORMAL = "N"
    RESTRICTED = "R"
    VERY_RESTRICTED = "V"


P = Permission

AT_SITES: dict[Role, frozenset[Permission]] = {
    Role.SCHEDULER: frozenset(
        {P.PATIENT_READ, P.PATIENT_WRITE, P.ORDER_READ, P.ORDER_WRITE, P.SCHEDULE_READ}
        | {P.SCHEDULE_WRITE, P.ATTENTION_READ, P.ATTENTION_RESOLVE}
    ),
    Role.TECHNOLOGIST: frozenset(
        {P.PATIENT_READ, P.ORDER_READ, P.SCHEDULE_READ, P.PERFORM_WRITE, P.STUDY_READ}
        | {P.STUDY_STORE, P.ATTENTION_READ, P.ATTENTION_RESOLVE, P.STUDY_RECONCILE}
    ),
    Role.RADIOLOGIST: frozenset(
        {P.PATIENT_READ, P.ORDER_READ, P.SCHEDULE_READ, P.STUDY_READ, P.READING_READ}
        | {P.READING_CLAIM, P.REPORT_READ, P.REPORT_READ_PRELIMINARY, P.REPORT_WRITE}
        | {P.REPORT_SIGN, P.ATTENTION_READ, P.STUDY_RECONCILE}
    ),
    Role.REFERRER: frozenset(),
    Role.PRIVACY_OFFICER: frozenset({P.AUDIT_READ, P.PATIENT_READ}),
    Role.ADMINISTRATOR: frozenset(Permission),
}

BY_GRANT: dict[Role, frozenset[Permission]] = {
    Role.REFERRER: frozenset({P.PATIENT_READ, P.ORDER_READ, P.STUDY_READ, P.REPORT_READ}),
}

BY_VERB: dict[Verb, frozenset[Permission]] = {
    Verb.ECHO: frozenset(),
    Verb.STORE: frozenset({P.STUDY_STORE}),
    Verb.FIND: frozenset({P.STUDY_READ}),
    Verb.MOVE: frozenset({P.STUDY_READ}),
    Verb.GET: frozenset({P.STUDY_READ}),
    Verb.WORKLIST: frozenset({P.WORKLIST_READ}),
    Verb.MPPS: frozenset({P.PERFORM_WRITE}),
    Verb.COMMIT: frozenset(),
    Verb.UPS: frozenset(),
}
