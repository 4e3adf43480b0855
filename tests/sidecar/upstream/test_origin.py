"""Base URLs: where they lead, and which lead nowhere."""

import pytest

from sidecar.upstream.origin import Origin, OriginError, target_of


@pytest.mark.parametrize(
    ("url", "origin", "path", "authority"),
    [
        ("https://api.openai.com/v1", ("api.openai.com", 443, True), "/v1", "api.openai.com"),
        ("https://api.openai.com/v1/", ("api.openai.com", 443, True), "/v1", "api.openai.com"),
        ("http://127.0.0.1:9100/v1", ("127.0.0.1", 9100, False), "/v1", "127.0.0.1:9100"),
        ("http://host", ("host", 80, False), "", "host"),
        ("http://host:443", ("host", 443, False), "", "host:443"),
        ("http://[::1]:8080/a/b", ("::1", 8080, False), "/a/b", "[::1]:8080"),
    ],
)
def test_a_base_url_leads_somewhere(
    url: str, origin: tuple[str, int, bool], path: str, authority: str
) -> None:
    host, port, tls = origin
    target = target_of(url)
    assert target.origin == Origin(host, port, tls)
    assert (target.path, target.origin.authority) == (path, authority)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/",
        "http://",
        "http://host:port/",
        "http://host:99999/",
        "http://h\u00f6st/",
        "http://host/a b",
        "http://host/\r\nx-injected: 1",
        "http://[::1/",
    ],
)
def test_what_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(OriginError):
        target_of(url)
