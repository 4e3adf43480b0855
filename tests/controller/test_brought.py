"""How many leases a pod has brought of late."""

from controller.brought import BROUGHT_MAX, Brought
from farebox.core.instant import DurationMs, UtcMs

DAY = DurationMs(86_400_000)


def admitted(brought: Brought, count: int, *, pod: str = "1", at: int = 1) -> int:
    return sum(brought.admit(pod, UtcMs(at), DAY) for _ in range(count))


def test_each_pod_has_its_own_count_and_a_new_one_after_a_while() -> None:
    brought = Brought()
    assert admitted(brought, BROUGHT_MAX + 5) == BROUGHT_MAX
    assert admitted(brought, 5, pod="2") == 5
    assert admitted(brought, 5, at=DAY) == 0
    assert admitted(brought, 5, at=DAY + 1) == 5


def test_counts_of_pods_that_brought_nothing_of_late_are_forgotten() -> None:
    brought = Brought(tidy_at=100)
    for pod in range(100):
        admitted(brought, 1, pod=str(pod), at=pod)
    admitted(brought, 1, pod="late", at=DAY + 89)
    assert set(brought.counts) == {str(pod) for pod in range(90, 100)} | {"late"}
