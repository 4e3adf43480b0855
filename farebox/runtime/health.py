"""`python -m farebox.runtime.health ADDRESS`: is the process beside this one well.

For the health checks of images, which have no shell and no curl. The one rule: the exit status is
0 or 1 within `ANSWER_S_MAX`, and one line says why. FAREBOX_ADMIN, which moves the admin server,
wins over ADDRESS. This module must not know which process it asks.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from farebox.runtime.endpoints import EndpointError, parse_loopback

ANSWER_S_MAX: Final = 3
VARIABLE: Final = "FAREBOX_ADMIN"
OK: Final = 200


def why_unwell(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What is wrong with the process, in a sentence; "" when it is well."""
    address = environment.get(VARIABLE) or next(iter(arguments), "")
    try:
        endpoint = parse_loopback(address)
    except EndpointError as error:
        return f"No admin server can be asked: {error}."
    asking = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=ANSWER_S_MAX)
    try:
        asking.request("GET", "/healthz")
        status = asking.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{address} does not answer: {error}."
    finally:
        asking.close()
    return "" if status == OK else f"{address} answered with status {status}."


def main() -> int:
    """Ask once; returns the exit status."""
    why = why_unwell(sys.argv[1:], os.environ)
    sys.stdout.write(f"{why or 'well'}\n")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
