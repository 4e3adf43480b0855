"""What each image is: its program, its user, and what of the distribution stays outside.

The one rule: what stands here is read by the build and by the tests of the Dockerfiles. This module
must not know how an image is made.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

APPLICATIONS: Final = ("sidecar", "controller")
COMMAND_LINE_PARTS: Final = ("after", "cli", "launch", "learn", "simulated")
"""What only `farebox`, the command line, has a use for, in the package of that name."""

UNUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "controller": ("kubernetes/client/api",),
}
"""By application: large parts of packages that it never loads. The Kubernetes client's other half,
`kubernetes.aio`, has its own."""

HOME: Final = "opt/farebox"
SITE: Final = f"{HOME}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
"""Images have the Python that makes them."""

PROGRAMS_FOLDER: Final = "usr/bin"
STATE_FOLDER: Final = "var/lib/farebox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. `application` is its import package and its extra; `user` its numeric user."""

    application: str
    user: int

    @property
    def program(self) -> str:
        return f"farebox-{self.application}"

    @property
    def left_out(self) -> tuple[str, ...]:
        """Folders in the site folder that are of no use in this image."""
        others = (name for name in APPLICATIONS if name != self.application)
        return (
            *others,
            *(f"farebox/{part}" for part in COMMAND_LINE_PARTS),
            *UNUSED.get(self.application, ()),
        )


IMAGES: Final[Mapping[str, Image]] = {
    "sidecar": Image(application="sidecar", user=15_002),
    "controller": Image(application="controller", user=15_001),
}
