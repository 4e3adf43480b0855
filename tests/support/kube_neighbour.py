"""Runs beside a test's program in a pod: writes /shared/beside, then answers at port 8080."""

from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path


def main() -> None:
    Path("/shared/beside").write_text("yes")
    HTTPServer(("", 8080), SimpleHTTPRequestHandler).serve_forever()


if __name__ == "__main__":
    main()
