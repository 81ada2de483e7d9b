"""A simulator over TLS: whoever trusts its certificate is answered."""

import ipaddress
import ssl
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embedmill.console.services.simulating import Rehearsal, _find_certificate
from embedmill.shared.errors import SettingsError
from embedmill.simulators.base import Options
from embedmill.simulators.serving import Certificate, _server, listen, url_of
from embedmill.simulators.table import simulator_class


def make_certificate(folder: Path) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).add_extension(hosts, critical=True)
    file, key_file = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
    return Certificate(file, key_file)


def test_a_simulator_answers_over_tls(tmp_path: Path) -> None:
    certificate, ready = make_certificate(tmp_path), threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = _server(simulator_class("openai")(Options()), ready=ready.set, tls=certificate)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(30)
            trusting = ssl.create_default_context(cafile=str(certificate.file))
            url = f"{url_of(listener, scheme='https')}/_sim/bill"
            with urllib.request.urlopen(url, context=trusting) as answer:
                assert answer.status == 200
        finally:
            server.should_exit = True
            thread.join()


def test_half_a_certificate_and_what_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("no certificate")
    plain = Rehearsal("openai", "127.0.0.1", 0, None, None, 0)
    assert _find_certificate(plain) is None
    for key in (None, tmp_path / "none"):
        with pytest.raises(SettingsError, match=r"certificate|cannot be used"):
            _find_certificate(Rehearsal("openai", "127.0.0.1", 0, None, None, 0, None, tmp_path / "none", key))
