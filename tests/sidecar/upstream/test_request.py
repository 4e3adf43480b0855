"""The bytes of a request: what of the caller's headers is in them, and what never is."""

from sidecar.upstream.origin import target_of
from sidecar.upstream.request import forwardable, post

TARGET = target_of("http://127.0.0.1:9100/v1")


def test_headers_for_one_connection_or_for_farebox_are_not_forwarded() -> None:
    lines, authorization = forwardable(
        [
            (b"Host", b"127.0.0.1:15002"),
            (b"Authorization", b"Bearer sk-caller"),
            (b"Content-Length", b"7"),
            (b"Content-Type", b"application/json"),
            (b"Connection", b"keep-alive"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Expect", b"100-continue"),
            (b"Accept-Encoding", b"gzip"),
            (b"X-Farebox-User", b"ana"),
            (b"x-farebox-max-cost", b"1"),
            (b"X-CamelCase", b"kept as it is"),
            (b"traceparent", b"00-1-2-01"),
            (b"Cookie", b"a"),
            (b"Cookie", b"b"),
        ]
    )
    assert lines == (
        b"X-CamelCase: kept as it is\r\ntraceparent: 00-1-2-01\r\nCookie: a\r\nCookie: b\r\n"
    )
    assert authorization == b"authorization: Bearer sk-caller\r\n"


def test_a_request_is_written_whole() -> None:
    request = post(TARGET, "/chat/completions", header_lines=b"a: b\r\n", body=b"{}")
    assert request == (
        b"POST /v1/chat/completions HTTP/1.1\r\n"
        b"host: 127.0.0.1:9100\r\n"
        b"content-type: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"a: b\r\n"
        b"content-length: 2\r\n\r\n{}"
    )
