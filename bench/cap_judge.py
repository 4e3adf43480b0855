"""The judge of the cap: what the provider billed, against every limit in every window.

The one rule: nothing of the code under test is used here. Bills are the provider's own records,
windows are worked out anew, amounts are compared exactly in pico-dollars. Pure: no files, no
processes, no clock.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.cap_scenario import PoolPlan
from farebox.simulated.ledger import Entry

PICO_PER_NANO: Final = 1_000
SHARE_MIN: Final = 0.90
"""How much of a pool that refused for good must really have been spent, at the least."""

STRADDLE_MS_MAX: Final = 1_000
"""A call received so soon after a window began may have been held in the one before."""


@dataclass(frozen=True, slots=True)
class Account:
    """A (sub-)pool in one window. `user` "" in a shared pool; `starts_ms` 0 for a lifetime."""

    pool: str
    user: str
    starts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the controller said of one account once all was quiet. Amounts in n$."""

    limit_nanos: int
    settled_nanos: int
    held_nanos: int
    leased_nanos: int
    headroom_nanos: int

    @property
    def out_nanos(self) -> int:
        """Money that is neither spent nor free to be lent."""
        return self.held_nanos + self.leased_nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What the provider billed to an account. `late_pico`: of it, just after the window's start."""

    account: Account
    limit_nanos: int
    billed_pico: int
    late_pico: int = 0

    @property
    def share(self) -> float:
        """Billed over limit: above 1 the cap is broken."""
        return self.billed_pico / (self.limit_nanos * PICO_PER_NANO)

    @property
    def over_pico(self) -> int:
        """By how much the bill exceeds the limit; negative: the margin."""
        return self.billed_pico - self.limit_nanos * PICO_PER_NANO


class Breach(enum.StrEnum):
    """What a run can break."""

    OVERSPENT = "overspent"
    UNDERCOUNTED = "under-counted"
    STRANDED = "stranded"
    UNSPENT = "unspent"
    UNEXPLAINED = "unexplained"
    RESTLESS = "restless"
    OVERDRAWN = "overdrawn"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One bound that was broken, in a sentence with figures."""

    breach: Breach
    sentence: str


def window_start_ms(instant_ms: int, period_ms: int | None) -> int:
    """When the window that an instant is in began: windows follow each other from 1970 on."""
    if period_ms is None:
        return 0
    windows_before, _ = divmod(instant_ms, period_ms)
    return windows_before * period_ms


def account_of(plan: PoolPlan, entry: Entry) -> Account:
    """To which account of a pool the provider's record counts."""
    user = (entry.user or "") if plan.per_user else ""
    return Account(plan.name, user, window_start_ms(entry.received_at_ms, plan.period_ms))


def bills(pools: Iterable[PoolPlan], entries: Sequence[Entry]) -> dict[Account, Bill]:
    """The bill of every account that was billed anything. Every call counts in every pool."""
    found: dict[Account, Bill] = {}
    for plan in pools:
        for entry in entries:
            account = account_of(plan, entry)
            before = found.get(account)
            since_ms = entry.received_at_ms - account.starts_ms
            late = plan.period_ms is not None and since_ms < STRADDLE_MS_MAX
            found[account] = Bill(
                account=account,
                limit_nanos=plan.limit_nanos,
                billed_pico=entry.billed_pico + (before.billed_pico if before else 0),
                late_pico=late * entry.billed_pico + (before.late_pico if before else 0),
            )
    return found


def overspent(found: Mapping[Account, Bill]) -> list[Finding]:
    """The first promise: no account is ever billed more than its limit."""
    return [
        Finding(
            breach=Breach.OVERSPENT,
            sentence=(
                f"{_told(bill.account)} was billed {_dollars(bill.billed_pico)}, limit "
                f"{_dollars(bill.limit_nanos * PICO_PER_NANO)}, over by {_dollars(bill.over_pico)} "
                f"({_dollars(bill.late_pico)} of it in the window's first {STRADDLE_MS_MAX} ms)"
            ),
        )
        for bill in found.values()
        if bill.over_pico > 0
    ]


def undercounted(found: Mapping[Account, Bill], lines: Mapping[Account, Line]) -> list[Finding]:
    """What was billed is settled at least, over all windows of a (sub-)pool.

    A call may be received just after the window that it was held in; it must not go uncounted.
    """
    billed_pico, settled_nanos = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for account, bill in found.items():
        billed_pico[account.pool, account.user] += bill.billed_pico
    for account, line in lines.items():
        settled_nanos[account.pool, account.user] += line.settled_nanos
    return [
        Finding(
            breach=Breach.UNDERCOUNTED,
            sentence=(
                f"{_told(Account(*key, 0))} has "
                f"{_dollars(settled_nanos[key] * PICO_PER_NANO)} settled, but was billed "
                f"{_dollars(billed)}"
            ),
        )
        for key, billed in billed_pico.items()
        if settled_nanos[key] * PICO_PER_NANO < billed
    ]


def late_pico(found: Mapping[Account, Bill], lines: Mapping[Account, Line]) -> int:
    """What was received after the window that it was held in, at the least, in pico-dollars.

    It is billed to a window whose limit it was not held against: what the cap's own margin at the
    end of a window must keep at nothing.
    """
    settled = {account: line.settled_nanos * PICO_PER_NANO for account, line in lines.items()}
    return sum(
        max(0, bill.billed_pico - settled.get(account, 0)) for account, bill in found.items()
    )


def stranded(lines: Mapping[Account, Line]) -> list[Finding]:
    """The journals survived, so nothing stays out, and all that is unspent can be lent again."""
    findings = []
    for account, line in lines.items():
        missing = line.limit_nanos - line.settled_nanos - line.headroom_nanos
        if line.out_nanos > 0 or missing > 0:
            sentence = (
                f"{_told(account)} has {_dollars(line.held_nanos * PICO_PER_NANO)} held and "
                f"{_dollars(line.leased_nanos * PICO_PER_NANO)} leased though all is quiet, and "
                f"{_dollars(max(0, missing) * PICO_PER_NANO)} less headroom than is unspent"
            )
            findings.append(Finding(breach=Breach.STRANDED, sentence=sentence))
    return findings


def unspent(found: Mapping[Account, Bill], exhausted: Iterable[Account]) -> list[Finding]:
    """A pool that refuses for good was really spent, but for a rest too small for a call."""
    findings = []
    for account in exhausted:
        bill = found.get(account)
        share = 0.0 if bill is None else bill.share
        if share < SHARE_MIN:
            sentence = f"{_told(account)} refused for good with only {share:.1%} of its limit spent"
            findings.append(Finding(breach=Breach.UNSPENT, sentence=sentence))
    return findings


def nanos(dollars: str) -> int:
    """A decimal dollar string as nano-dollars. Raises ValueError for more than nine decimals."""
    whole, _, decimals = dollars.partition(".")
    if len(decimals) > 9:
        message = f"{dollars} has more than nine decimals"
        raise ValueError(message)
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 10**9 + int(decimals.ljust(9, "0")))


def dollars_of_nanos(amount_nanos: int) -> str:
    """Nano-dollars for reading."""
    return _dollars(amount_nanos * PICO_PER_NANO)


def _told(account: Account) -> str:
    key = f"[{account.user}]" if account.user else ""
    window = f" in the window of {account.starts_ms}" if account.starts_ms else ""
    return f"pool {account.pool}{key}{window}"


def _dollars(pico: int) -> str:
    """Pico-dollars as dollars; for reading, cut at six places."""
    sign, pico = ("-", -pico) if pico < 0 else ("", pico)
    return f"{sign}${pico // 10**12}.{pico % 10**12 // 10**6:06d}"
