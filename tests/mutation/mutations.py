"""The seeded bugs: fifteen ways in which ledgers of this kind have been broken elsewhere.

Each is a small change of the product's source. The one rule: the old text must occur exactly once,
so that a bug which no longer applies is noticed and not passed over. This module must not know how
a bug is looked for.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """In `path`, `old` becomes `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug by its name, and where it is put in."""

    name: str
    edits: tuple[Edit, ...]

    @property
    def files(self) -> str:
        """The files that it changes, for people."""
        return ", ".join(dict.fromkeys(edit.path for edit in self.edits))


class DoesNotApply(Exception):
    """The source is no longer what a bug was written for, with a sentence that says where."""


def mutated(text: str, edit: Edit) -> str:
    """A file's text with the edit in it. Raises DoesNotApply."""
    found = text.count(edit.old)
    if found != 1:
        raise DoesNotApply(
            f"{edit.path} has {found} times, and should have once:\n{edit.old}\n"
            "write the bug anew for the code as it is, in tests/mutation/mutations.py"
        )
    return text.replace(edit.old, edit.new)


_COMMITTER: Final = "controller/committer.py"
_LEASING: Final = "sidecar/leasing.py"
_PURSE: Final = "sidecar/purse.py"
_REPORTS: Final = "controller/reports.py"
_LEDGER: Final = "farebox/core/ledger.py"
_ETCD: Final = "controller/store/etcd.py"

_CUMULATIVE: Final = Edit(
    _REPORTS,
    "    entry.spent = max(entry.spent, item.spent)\n",
    "    entry.spent = Nanos(entry.spent + item.spent)\n",
)

MUTATIONS: Final = (
    Mutation(
        "grant sent before commit",
        (
            Edit(
                _COMMITTER,
                "        await self._commit([write for step in steps for write in step.writes])\n",
                "        for step in steps:\n"
                "            for send in step.sends:\n"
                "                deliver(send)\n"
                "        await self._commit([write for step in steps for write in step.writes])\n",
            ),
        ),
    ),
    Mutation(
        "credit on expiry",
        (
            Edit(
                "farebox/core/allocation.py",
                "        committed = max(lent, used)\n",
                "        committed = self.spent if self.frozen else max(lent, used)\n",
            ),
        ),
    ),
    Mutation(
        "delta instead of cumulative report",
        (
            Edit(
                _LEASING,
                "                spent=lease.spent,\n",
                "                spent=Nanos(lease.spent - self._told(lease)),\n",
            ),
            Edit(
                _LEASING,
                "            if self._reported.get(lease.id) != counters:\n"
                "                self._reported[lease.id] = counters\n",
                "            if counters.spent or self._reported.get(lease.id) != counters:\n"
                "                self._reported[lease.id] = counters\n"
                "                self._spent_told[lease.id] = lease.spent\n",
            ),
            Edit(
                _LEASING,
                "    def start_over(self) -> None:\n",
                "    def _told(self, lease):\n"
                "        if lease.id not in self._reported:\n"
                "            return 0\n"
                "        return self._spent_told.get(lease.id, 0)\n"
                "\n"
                "    def start_over(self) -> None:\n",
            ),
            Edit(
                _LEASING,
                "        self._urgent: set[LeaseId] = set()\n",
                "        self._urgent: set[LeaseId] = set()\n        self._spent_told = {}\n",
            ),
            _CUMULATIVE,
        ),
    ),
    Mutation(
        "return sent before journal",
        (
            Edit(
                _PURSE,
                "        try:\n"
                "            self._commit(returned)\n"
                "        except OSError:\n"
                "            return False\n"
                "        return True\n",
                "        self._apply(returned)\n"
                "        self._unwritten[lease_id] = returned\n"
                "        return True\n",
            ),
        ),
    ),
    Mutation(
        "blind txn retry",
        (
            Edit(
                _COMMITTER,
                "        await self._store.commit(writes)\n",
                "        try:\n"
                "            await self._store.commit(writes)\n"
                "        except Fenced:\n"
                "            raise\n"
                "        except Exception:\n"
                "            await self._store.commit(writes)\n",
            ),
            Edit(
                _ETCD,
                "            self._reign.compare(),\n"
                '            ValueIs(batch, b"%d" % before) if self._batch_is_there else '
                "CreatedAt(batch, 0),\n",
                "            self._reign.compare(),\n",
            ),
            Edit(
                _ETCD,
                "            if done or await self._is_there(number):\n",
                "            if done:\n",
            ),
        ),
    ),
    Mutation(
        "missing leader compare",
        (
            Edit(
                "controller/store/memory.py",
                "        if self._epoch != self._tables.epoch:\n"
                '            raise Fenced("another controller has taken this ledger over; '
                'this one must end")\n',
                "",
            ),
            Edit(_ETCD, "            self._reign.compare(),\n", ""),
            Edit(
                _ETCD,
                "        if not page.rows or page.rows[0].created != self._reign.created:\n"
                "            raise self._fenced()\n"
                "        if found",
                "        if found",
            ),
        ),
    ),
    Mutation(
        "two grants on one snapshot",
        (
            Edit(
                "controller/grants.py",
                "    entry.idle_since = None\n    world.refresh(entry)\n",
                "    entry.idle_since = None\n",
            ),
        ),
    ),
    Mutation(
        "unclamped negative",
        (
            Edit(
                _LEASING,
                "        keep = Nanos(max(0, lease.headroom - max(0, excess)))\n",
                "        keep = Nanos(lease.headroom - max(0, excess))\n",
            ),
        ),
    ),
    Mutation(
        "partial re-check of ancestors",
        (
            Edit(
                _LEDGER,
                "        if not usable or free < amount:\n",
                "        if not usable or (free < amount and lease_id == leases[0]):\n",
            ),
        ),
    ),
    Mutation(
        "holder_uid reuse",
        (Edit("sidecar/journal.py", "holder=str(uuid.uuid4())", "holder=str(uuid.UUID(int=7))"),),
    ),
    Mutation(
        "spend attributed to wall window",
        (
            Edit(
                _LEDGER,
                "    changed = _moved(book, leases + unchecked, -amount, cost)\n",
                "    changed = _moved(book, leases + unchecked, -amount, 0)\n"
                "    newest = {one.charge: max((key for key in book.leases if key.charge == "
                "one.charge), key=lambda key: key.window) for one in leases + unchecked}\n"
                "    freed = {one.id: one for one in changed}\n"
                "    for one in newest.values():\n"
                "        lease = freed.get(one) or book.leases[one]\n"
                "        freed[one] = lease._replace(spent=Nanos(lease.spent + cost))\n"
                "    changed = tuple(freed.values())\n",
            ),
        ),
    ),
    Mutation(
        "bucket not counting outstanding",
        (
            Edit(
                "farebox/core/bucket.py",
                "    room = rate.size - outstanding - bucket.level\n",
                "    room = rate.size - bucket.level\n",
            ),
            Edit(
                "farebox/core/bucket.py",
                "    room = max(0, rate.size - outstanding)\n",
                "    room = max(0, rate.size)\n",
            ),
        ),
    ),
    Mutation(
        "epoch check dropped on Shrink",
        (
            Edit(
                _LEASING,
                "        if message.epoch < self._purse.epoch or lease is None:\n",
                "        if lease is None:\n",
            ),
        ),
    ),
    Mutation(
        "expiry checked only on RPC error",
        (
            Edit(
                _PURSE,
                "            self.book = replace(self.book, deadline=deadline)\n",
                "            self.book = replace(self.book, deadline=_NEVER)\n",
            ),
            Edit(
                _LEASING,
                "        self.connected = False\n\n    def hear(",
                "        self.connected = False\n"
                "        self._purse.book = replace(self._purse.book, deadline=BootMs(0))\n"
                "\n"
                "    def hear(",
            ),
            Edit(
                _LEASING,
                "from dataclasses import dataclass\n",
                "from dataclasses import dataclass, replace\n",
            ),
        ),
    ),
    Mutation(
        "counters zeroed before send",
        (
            Edit(
                _LEASING,
                "                spent=lease.spent,\n",
                "                spent=Nanos(lease.spent - self._spent_told.get(lease.id, 0)),\n",
            ),
            Edit(
                _LEASING,
                "            if self._reported.get(lease.id) != counters:\n"
                "                self._reported[lease.id] = counters\n",
                "            if counters.spent or self._reported.get(lease.id) != counters:\n"
                "                self._reported[lease.id] = counters\n"
                "                self._spent_told[lease.id] = lease.spent\n",
            ),
            Edit(
                _LEASING,
                "        self._urgent: set[LeaseId] = set()\n",
                "        self._urgent: set[LeaseId] = set()\n        self._spent_told = {}\n",
            ),
            _CUMULATIVE,
        ),
    ),
)
