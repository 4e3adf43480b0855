"""No test is timed: on a shared machine neither a slow example nor a slow start proves anything."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from farebox.cli import admin, processes

START_S_MAX = 100

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def patient_starts() -> Iterator[None]:
    """Processes may take longer to start here than a person would wait for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "START_S_MAX", START_S_MAX)
        patch.setattr(admin, "START_S_MAX", START_S_MAX)
        yield
