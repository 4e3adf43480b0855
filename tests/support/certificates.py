"""A certificate for localhost and its key, for tests of TLS; valid until 2126."""

import ssl
from pathlib import Path

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUaonWtWk5EFixu2bqKKXf3AsXJ+AwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAwMjUzN1oYDzIxMjYxMDMw
MDAyNTM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARJw0vXVg0hoEnIhHW+kqvmFDLGtzojWb7ovuwjcQxhTNIW9go1Qg3T
nhubvJmoTuVpB5uVH3ze87L2lhu0/BPwo2kwZzAdBgNVHQ4EFgQUfdBJj0U/RdmU
kVUcr53Lnn/pCGAwHwYDVR0jBBgwFoAUfdBJj0U/RdmUkVUcr53Lnn/pCGAwFAYD
VR0RBA0wC4IJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
RwAwRAIgWtW5AGEnlx1M5+kOhIPOwPZngGYRF8m7xuRxb7OWRM4CIG+CjWKeXwO4
q8/x86oUV7OOYr06TXKfoYe4J7oVQlgA
-----END CERTIFICATE-----
"""

KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg13qqlaHc+izS82Yx
Tu9hHwV0GcyHGJDZWqPQES7QZlKhRANCAARJw0vXVg0hoEnIhHW+kqvmFDLGtzoj
Wb7ovuwjcQxhTNIW9go1Qg3TnhubvJmoTuVpB5uVH3ze87L2lhu0/BPw
-----END PRIVATE KEY-----
"""


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server that is localhost, and of a client that trusts it and nobody else."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    client_side = ssl.create_default_context(cafile=certificate)
    return server_side, client_side
