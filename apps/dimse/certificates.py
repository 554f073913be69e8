"""The certificates we show and trust, as settings name their files."""

import datetime
import functools
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.accounts.models import ApplicationEntity
from apps.core.certificates import Certificate
from apps.dimse.upper.tls import OurTls, TlsFiles, TlsSetupError
from apps.dimse.upper.tls_wire import PeerTls

_SETTINGS = (
    "ISOCENTER_DICOM_TLS_CERTIFICATE",
    "ISOCENTER_DICOM_TLS_KEY",
    "ISOCENTER_DICOM_TLS_CA",
)


def tls_files() -> TlsFiles | None:
    """Return the files of TLS; None where no setting names one.

    Raises:
        TlsSetupError: some are named and some are not.
    """
    named = {name: str(getattr(settings, name)) for name in _SETTINGS}
    missing = [name for name, value in named.items() if not value]
    if len(missing) == len(named):
        return None
    if missing:
        message = f"TLS needs {', '.join(named)}; not set: {', '.join(missing)}"
        raise TlsSetupError(message)
    certificate, key, authorities = (Path(value) for value in named.values())
    return TlsFiles(certificate, key, authorities)


def our_tls() -> OurTls | None:
    """Return our side of TLS; None where it is not set up.

    Raises:
        TlsSetupError: it is set up, but cannot be used.
    """
    files = tls_files()
    return _of(files) if files else None


def peer_tls(entity: ApplicationEntity) -> PeerTls | None:
    """Return how an AE is called over TLS; None where it is called without."""
    return PeerTls(our_tls, entity.certificate) if entity.called_over_tls else None


@functools.lru_cache(maxsize=4)
def _of(files: TlsFiles) -> OurTls:
    return OurTls(files)


@dataclass(frozen=True, slots=True)
class Standing:
    """How our TLS stands.

    Attributes:
        ours: our certificate, where it can be read.
        authorities: whom we trust.
        problem: why the files cannot be used as they are; empty where they can.
        warnings: what ends soon or has ended, in words.
    """

    ours: Certificate | None
    authorities: tuple[Certificate, ...]
    problem: str
    warnings: tuple[str, ...]


def standing(at: datetime.datetime) -> Standing | None:
    """Return how the files stand at a moment; None where TLS is not set up."""
    try:
        ours = our_tls()
        if ours is None:
            return None
        now = ours.now()
    except TlsSetupError as error:
        return Standing(None, (), str(error), ())
    return Standing(now.certificate, now.authorities, ours.problem, now.endings(at))
