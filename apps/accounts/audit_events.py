"""Audited events of accounts."""

from apps.audit.models import Action
from apps.audit.registry import register

SIGNED_IN = register("accounts.user.signed-in", Action.EXECUTE, "Signed in")
SIGN_IN_FAILED = register("accounts.user.sign-in-failed", Action.EXECUTE, "Failed to sign in")
SIGNED_OUT = register("accounts.user.signed-out", Action.EXECUTE, "Signed out")
TOKEN_ISSUED = register("accounts.token.issued", Action.CREATE, "Issued an access token")
AE_REGISTERED = register("accounts.ae.registered", Action.UPDATE, "Registered a DICOM node")
HL7_PEER_REGISTERED = register(
    "accounts.hl7-peer.registered", Action.UPDATE, "Registered an HL7 peer"
)
ACCESS_GRANTED = register("accounts.access.granted", Action.CREATE, "Granted access")
USER_SAVED = register("accounts.user.saved", Action.UPDATE, "Changed an account")
