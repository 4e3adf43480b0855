"""Certificates and a token from files that others renew."""

from pathlib import Path

import pytest

from sidecar.credentials import FILE_BYTES_MAX, Credentials, CredentialsError
from tests.support.certificates import CERTIFICATE


def credentials(folder: Path, *, ca: str = CERTIFICATE, token: str = "secret") -> Credentials:
    (folder / "ca.pem").write_text(ca)
    (folder / "token").write_text(token)
    return Credentials(ca=folder / "ca.pem", token=folder / "token")


def test_the_token_goes_along_as_it_is_in_the_file_now(tmp_path: Path) -> None:
    made = credentials(tmp_path, token="first\n")
    assert made.metadata() == (("authorization", "Bearer first"),)

    (tmp_path / "token").write_text("second")
    assert made.metadata() == (("authorization", "Bearer second"),)
    made.channel()


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "--token-file {file} holds no token"),
        ("secret token", "--token-file {file} holds no token"),
        ("secret\ntoken", "--token-file {file} holds no token"),
        ("s" * 16_385, "--token-file {file} holds no token"),
        ("s" * (FILE_BYTES_MAX + 1), "--token-file {file} is over 1048576 bytes"),
        (None, "--token-file {file} can't be read: No such file or directory"),
    ],
)
def test_a_file_without_a_token_is_told_and_not_shown(
    tmp_path: Path, token: str | None, sentence: str
) -> None:
    made = credentials(tmp_path, token=token or "")
    if token is None:
        made.token.unlink()
    with pytest.raises(CredentialsError) as told:
        made.metadata()
    assert str(told.value) == sentence.format(file=made.token)


@pytest.mark.parametrize(
    ("ca", "sentence"),
    [
        ("", "--controller-ca {file} holds no certificate (PEM)"),
        (None, "--controller-ca {file} can't be read: No such file or directory"),
    ],
)
def test_a_file_without_certificates_is_told(tmp_path: Path, ca: str | None, sentence: str) -> None:
    made = credentials(tmp_path, ca=ca or "")
    if ca is None:
        made.ca.unlink()
    with pytest.raises(CredentialsError) as told:
        made.channel()
    assert str(told.value) == sentence.format(file=made.ca)
