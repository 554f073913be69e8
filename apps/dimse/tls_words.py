"""What a person is told where TLS with a peer did not come about, whoever called."""

from django.conf import settings

from apps.dimse.domain import Finding, TlsFault

_WORDS: dict[str, Finding] = {
    TlsFault.NOT_TLS: Finding(
        "It spoke without TLS where we speak TLS",
        "Switch TLS on at the device, or do without on both sides: where it calls us, that is port "
        "{port}; where we call it, untick “We call it over TLS” for this node.",
    ),
    TlsFault.NO_CERTIFICATE: Finding(
        "It showed no certificate",
        "Give the device a certificate and key of its own: TLS here is mutual.",
    ),
    TlsFault.UNTRUSTED: Finding(
        "Its certificate is not signed by an authority that we trust",
        "Have it signed by one of our authorities, or add the authority that did to the file of "
        "ISOCENTER_DICOM_TLS_CA. OpenSSL says: {said}.",
    ),
    TlsFault.EXPIRED: Finding(
        "Its certificate has expired",
        "Put a new certificate into the device. Also look at its clock and ours.",
    ),
    TlsFault.NOT_YET_VALID: Finding(
        "Its certificate is not valid yet",
        "Look at the clocks of the device and of this server.",
    ),
    TlsFault.PURPOSE: Finding(
        "Its certificate is not made for this purpose",
        "A device that calls needs the extended key usage “client authentication”, one that is "
        "called “server authentication”. Have the certificate issued again.",
    ),
    TlsFault.OTHER_NAME: Finding(
        "Its certificate is that of somebody else",
        "Name the right one for this node, or look who answers at that address: {said}.",
    ),
    TlsFault.OURS_REFUSED: Finding(
        "It did not accept our certificate",
        "Add the authority that signed ours to those the device trusts, and look whether ours "
        "has expired. It says: {said}.",
    ),
    TlsFault.CLOSED_AFTER: Finding(
        "It closed the connection right after the TLS handshake, without a word",
        "Most often it does not accept our certificate: add the authority that signed ours to "
        "those the device trusts, and look at the device's own log.",
    ),
    TlsFault.NOTHING_COMMON: Finding(
        "It knows no version or cipher of TLS that we allow",
        "We take TLS 1.2 with ECDHE and AES-GCM, and TLS 1.3 (BCP 195). Update the device, or "
        "choose another TLS profile there.",
    ),
    TlsFault.BROKEN: Finding(
        "The TLS handshake broke off",
        "Look at the device's own log; often it does not trust our certificate, or speaks no TLS "
        "at this port. OpenSSL says: {said}.",
    ),
    TlsFault.NOT_SET_UP: Finding(
        "It is to be called over TLS, but our own side of TLS is not ready",
        "Set ISOCENTER_DICOM_TLS_CERTIFICATE, _KEY and _CA, or untick “We call it over TLS” for "
        "this node: {said}.",
    ),
}
_OTHER = Finding("Its certificate was not accepted", "OpenSSL says: {said}.")


def tls_words(fault: str, said: str) -> Finding:
    """Return what went wrong and what to do about it.

    Args:
        fault: a TlsFault.
        said: what OpenSSL, or whoever noticed, says.
    """
    found = _WORDS.get(fault, _OTHER)
    return Finding(found.what, found.todo.format(said=said, port=settings.ISOCENTER_DICOM_PORT))
