"""A certificate authority and a server certificate for loopback, made at start."""

import datetime
import ipaddress
import os
import ssl
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def server_chain(authority_file):
    """A PEM file with a server certificate and its key; the authority goes to `authority_file`."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign("peer authority", authority_key, None, authority_key, authority=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign("localhost", key, authority, authority_key, authority=False)
    pem = serialization.Encoding.PEM
    with open(authority_file, "wb") as out:
        out.write(authority.public_bytes(pem))
    with tempfile.NamedTemporaryFile(delete=False) as chain:
        chain.write(certificate.public_bytes(pem))
        chain.write(
            key.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return chain.name


def server_context(authority_file, protocols=()):
    """A TLS context for a server; the authority to trust is written to `authority_file`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = server_chain(authority_file)
    context.load_cert_chain(chain)
    os.unlink(chain)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def client_context(authority_file, protocols=()):
    """A TLS context for a client that trusts one authority."""
    context = ssl.create_default_context(cafile=authority_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _sign(name, key, issuer, issuer_key, authority):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    if authority:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


if __name__ == "__main__":
    # For peers that cannot make one: `certificate.py AUTHORITY` names the file it left.
    print(server_chain(sys.argv[1]))
