"""Certificates of a private authority, for masters and slaves on this host."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Authority", "with_contexts"]

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Authority:
    """Signs certificates.

    :param openssl: the program.
    :param folder: for all files.
    :param name: what it calls itself.
    """

    def __init__(self, openssl: str, folder: Path, name: str) -> None:
        self._openssl = openssl
        self._folder = folder
        self.file, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        use = "keyUsage=critical,keyCertSign,cRLSign"  # Python 3.13 wants it said
        self._make("-subj", f"/CN={name}", "-addext", use, "-keyout", self._key, "-out", self.file)

    def certificate(self, name: str) -> Path:
        """A new certificate for 127.0.0.1, with its key in the same file."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        signed = ("-CA", self.file, "-CAkey", self._key, "-addext", "subjectAltName=IP:127.0.0.1")
        self._make(*signed, "-addext", "basicConstraints=CA:FALSE", "-subj", f"/CN={name}", "-keyout", key, "-out",
                   certificate)  # fmt: skip
        certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
        return certificate

    def _make(self, *options: str | Path) -> None:
        subprocess.run([self._openssl, "req", "-x509", *KEY, *options], check=True, capture_output=True, timeout=20)


def with_contexts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a master or a slave, with TLS made of the names of files.

    :param options: `certificate` is what the end shows, and `authority` has to have signed what others show; with
        `asks` it wants a certificate of its clients, too.
    """
    given = dict(options)
    certificate, authority = given.pop("certificate", None), given.pop("authority", None)
    asks = given.pop("asks", False)
    if certificate is not None:
        given["tls"] = tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        if asks:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(authority)
    if authority is not None:
        given["client_tls"] = client_tls = ssl.create_default_context(cafile=authority)
        if certificate is not None:
            client_tls.load_cert_chain(certificate)
    return given
