"""Recorded AdmissionReviews with the answers they should have: tests/data/admission/NAME.json.

Each has `namespace` (labels and annotations), `review` and `answer`, whose patch stands in clear
text. After a change that is meant, `python -m tests.support.admission_goldens` writes the answers
anew: read the difference before you keep it.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from controller.injection.reading import read_settings
from controller.injection.review import Namespace, judge, read_review, response
from tests.support.admission import patch_in

FOLDER: Final = Path(__file__).parent.parent / "data" / "admission"

Object = dict[str, Any]


def goldens() -> list[Path]:
    """The files."""
    return sorted(FOLDER.glob("*.json"))


def answer_to(golden: Object) -> Object:
    """What is answered to a golden's review, with the patch in clear text."""
    file = FOLDER / "injection.yaml"
    settings = read_settings(
        file.name, file.read_text(), audience="farebox.dev", own_namespace="farebox"
    )
    namespace = msgspec.convert(golden["namespace"], Namespace)
    request = read_review(json.dumps(golden["review"]).encode())
    answer = response(request, judge(request, namespace, settings))
    if patch := patch_in(answer):
        answer["response"]["patch"] = patch
    return answer


def rewrite() -> None:
    """Write every answer anew."""
    for path in goldens():
        golden = json.loads(path.read_text())
        golden["answer"] = answer_to(golden)
        path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    rewrite()
