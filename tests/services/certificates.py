"""Certificates of an authority that is made for a test, and files of them as servers and clients read them."""

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


@dataclass
class Authority:
    """Signs certificates, whose files are written to a folder; `name` tells it from others there."""

    folder: Path
    name: str = "authority"
    _key: Any = field(init=False)
    _certificate: Any = field(init=False)

    def __post_init__(self) -> None:
        """Its own certificate is `NAME.crt`."""
        self._key = _new_key()
        self._certificate = self._sign(self.name, self._key, is_authority=True)
        self._write(self.name, self._certificate, self._key)

    @property
    def file(self) -> Path:
        """What whoever trusts it is given."""
        return self.folder / f"{self.name}.crt"

    def issue(self, name: str, *, host: str = HOST) -> tuple[Path, Path]:
        """The files of a certificate and of its key; `name` is whose it is, and the address of a server is `host`."""
        key = _new_key()
        return self._write(name, self._sign(name, key, host=host), key)

    def _sign(self, name: str, key: Any, *, host: str = HOST, is_authority: bool = False) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import NameOID

        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if is_authority else self._certificate.subject
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        return made.add_extension(address, critical=False).sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: Any, key: Any) -> tuple[Path, Path]:
        from cryptography.hazmat.primitives import serialization

        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        file.write_bytes(certificate.public_bytes(pem))
        key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        # Postgres and its clients take no key that others may read.
        key_file.chmod(0o600)
        return file, key_file


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())
