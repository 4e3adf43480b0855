"""A child process for tests: listens, writes its ready file, and ends as its flags say.

`--die` ends it before it is ready, `--deaf` makes it ignore SIGTERM. Run as a module.
"""

import argparse
import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--die", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    options = parser.parse_args()
    if options.die:
        sys.stderr.write("this child was told to die\n")
        return 7
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    host, _, port = options.listen.rpartition(":")
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, int(port)))
        listening.listen()
        facts = {"http": listening.getsockname()[1], "pid": os.getpid()}
        draft = options.ready_file.with_suffix(".draft")
        draft.write_text(json.dumps(facts))
        draft.replace(options.ready_file)
        signal.pause()
        # A signal that is ignored ends the pause as well.
        while True:
            signal.pause()


if __name__ == "__main__":
    sys.exit(main())
