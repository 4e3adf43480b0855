"""Runs in a pod of a test and tells what it finds there, in one line: `python -m` this module.

The one rule: it looks only at what any program in a pod may look at.
"""

import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

_TRUST: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATIENCE_S: Final = 5


def _asked() -> int:
    """The status with which the API server answers the pod's own ServiceAccount."""
    server = os.environ["KUBERNETES_SERVICE_HOST"]
    token = (_TRUST / "token").read_text()
    request = urllib.request.Request(
        f"https://{server}/api/v1/namespaces/default/configmaps/words",
        headers={"Authorization": f"Bearer {token}"},
    )
    context = ssl.create_default_context(cafile=_TRUST / "ca.crt")
    try:
        with urllib.request.urlopen(request, context=context, timeout=_PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> None:
    told = {
        "user": os.getuid(),
        "answer": _asked(),
        "name": os.environ["POD_NAME"],
        "address": os.environ["POD_IP"],
        "found": socket.gethostbyname("web-0.web.default.svc"),
        "word": Path("/words/word").read_text(),
        "beside": Path("/shared/beside").read_text(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
