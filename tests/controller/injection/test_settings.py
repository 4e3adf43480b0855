"""The settings agree with what the sidecar and the other modules know."""

from controller.injection.container import container_of
from controller.injection.settings import OWN_VARIABLES, LogLevel, Ports
from farebox.runtime.logs import LEVELS
from sidecar.config import ADMIN, LISTEN, OPTIONS
from tests.support.admission import SETTINGS


def test_own_variables_are_those_that_the_container_has() -> None:
    env = container_of(SETTINGS, grace_s=None)["env"]
    assert {one["name"] for one in env} == OWN_VARIABLES


def test_every_variable_is_one_of_the_sidecar() -> None:
    options = {f"FAREBOX_{name.upper()}" for name in OPTIONS}
    assert OWN_VARIABLES - options == {"FAREBOX_POD_IP"}


def test_levels_and_ports_are_those_of_the_sidecar() -> None:
    assert set(LogLevel) == set(LEVELS)
    assert (Ports().listen, Ports().admin) == (LISTEN.port, ADMIN.port)
    assert SETTINGS.origin == "http://127.0.0.1:15002"
