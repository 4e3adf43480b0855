"""Gate functions as a user might write them: good ones, and all the others."""

import os
import sys
import time

from farebox.core.gates import Case


def says_ok(answer: str, case: Case) -> bool:
    """Whether the answer says ok; prints, as functions do."""
    print("checking", answer)  # noqa: T201  a function may print
    return "ok" in answer


def knows_the_case(answer: str, case: Case) -> bool:
    """Whether it was told what was asked."""
    return (case.prompt, case.system, case.schema, case.expected) == ("p", "s", "{}", "e")


def sees_no_secret(answer: str, case: Case) -> bool:
    """Whether the keys of providers are hidden from it."""
    return answer not in os.environ


def hangs(answer: str, case: Case) -> bool:
    """Never answers, when it is told to hang."""
    while answer == "hang":
        time.sleep(60)  # noqa: TID251  this is the fault that is played
    return True


hangs_too = hangs


def dies(answer: str, case: Case) -> bool:
    """Takes its process with it, when it is told to die."""
    if answer == "die":
        os._exit(3)
    return True


def raises(answer: str, case: Case) -> bool:
    """Fails with the answer in its message."""
    raise ValueError(answer)


def talks(answer: str, case: Case) -> str:
    """Says something that is no verdict."""
    return "sure"


def ends(answer: str, case: Case) -> bool:
    """Ends the interpreter the polite way."""
    sys.exit(0)


number = 7
"""No function at all."""
