"""The panel: a task's gates in their order over one answer, until one says no.

It does no I/O: it says what it needs next (`Ask` a model, `Run` a function), is told what came of
it, and goes on. `judge` drives one for whoever can simply await; the sidecar drives it step by
step, because there each question to a model takes money of its own. The one rule: an answer has
passed only when every gate ran and said yes. This module must not know money or sockets.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from farebox.core.gates import Case, Gate, GateKind, Verdict
from farebox.gates import grading
from farebox.gates.agreement import agree
from farebox.gates.checks import LOCAL, check
from farebox.gates.grading import Messages


class Ask(NamedTuple):
    """A model is to be asked. For AGREEMENT the messages are those of the case."""

    gate: Gate
    model: str
    messages: Messages


class Run(NamedTuple):
    """The user's function is to be run on an answer."""

    gate: Gate
    answer: str
    case: Case


class Panel:
    """Judges the texts of one answer (several when it has several choices), gate by gate.

    `served` names the model that answered. `opinions` are second answers that are known already, by
    model; those that are asked for are added, so that a later panel of the same call has them.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        texts: Sequence[str],
        case: Case,
        *,
        served: str = "",
        opinions: dict[str, str] | None = None,
    ) -> None:
        self.verdicts: list[Verdict] = []
        self._case = case
        self._served = served
        self._opinions = {} if opinions is None else opinions
        self._left = [(gate, text) for gate in gates for text in texts][::-1]
        self._need: Ask | Run | None = None
        if gates and not texts:
            why = "there is no text that could be read"
            self.verdicts.append(Verdict(gates[0].name, passed=False, why=why))

    @property
    def failed(self) -> Verdict | None:
        """The verdict that was not a yes."""
        last = self.verdicts[-1] if self.verdicts else None
        return None if last is None or last.passed else last

    def next(self) -> Ask | Run | None:
        """What has to be found out next; None when the panel is over."""
        while self._need is None and self._left and self.failed is None:
            gate, text = self._left[-1]
            if gate.kind in LOCAL:
                self.take(check(gate, text, self._case))
            elif gate.kind is GateKind.FUNCTION:
                self._need = Run(gate, text, self._case)
            else:
                self._ask_model(gate, text)
        return self._need

    def take(self, verdict: Verdict) -> None:
        """A gate's verdict on the text that is its turn."""
        gate, _ = self._left.pop()
        self._need = None
        before = self.verdicts[-1] if self.verdicts else None
        if before is not None and before.gate == gate.name:
            self.verdicts.pop()
        self.verdicts.append(verdict)

    def hear(self, reply: str | None, why: str = "the model gave no answer") -> None:
        """What the model said that was asked; None when it could not be asked, and why."""
        gate, text = self._left[-1]
        if reply is None:
            self.take(Verdict(gate.name, passed=False, why=why, ran=False))
        elif gate.kind is GateKind.AGREEMENT:
            self._opinions[gate.model] = reply
            self._compare(gate, text, reply)
        else:
            self._grade(gate, reply)

    def _ask_model(self, gate: Gate, text: str) -> None:
        if gate.kind is GateKind.GRADER:
            if grading.is_gradable(self._case, text):
                asked = grading.questions(self._case, text, gate.rubric)
                self._need = Ask(gate, gate.model, asked)
            else:
                self.hear(None, "the answer is too long to be graded")
        elif gate.model == self._served:
            # It can't confirm itself, but what it said can confirm the answer of the next tier.
            self._opinions[gate.model] = text
            why = "the second model is the one that answered"
            self.take(Verdict(gate.name, passed=False, why=why))
        elif (known := self._opinions.get(gate.model)) is not None:
            self._compare(gate, text, known)
        else:
            self._need = Ask(gate, gate.model, _messages(self._case))

    def _compare(self, gate: Gate, text: str, other: str) -> None:
        same = agree(text, other)
        why = "" if same else "the second model answers otherwise"
        self.take(Verdict(gate.name, passed=same, why=why))

    def _grade(self, gate: Gate, reply: str) -> None:
        grade = grading.grade_of(reply)
        if grade is None:
            self.take(Verdict(gate.name, passed=False, why="the grader gave no grade", ran=False))
            return
        passed = grading.has_passed(gate, grade)
        why = "" if passed else f"graded {grade} of 1000; {gate.pass_mark} are wanted"
        self.take(Verdict(gate.name, passed=passed, why=why))


async def judge(
    gates: Sequence[Gate],
    answer: str,
    case: Case,
    *,
    ask: Callable[[str, Messages], Awaitable[str | None]],
    run: Callable[[Gate, str, Case], Awaitable[Verdict]],
    served: str = "",
) -> tuple[Verdict, ...]:
    """Run a task's gates over an answer; the last verdict is the first that is not a yes.

    `ask` asks a model by its name, None when it could not; `run` is `Functions.judge`.
    """
    panel = Panel(gates, (answer,), case, served=served)
    while (need := panel.next()) is not None:
        if isinstance(need, Ask):
            panel.hear(await ask(need.model, need.messages))
        else:
            panel.take(await run(*need))
    return tuple(panel.verdicts)


def _messages(case: Case) -> Messages:
    user = {"role": "user", "content": case.prompt}
    return ({"role": "system", "content": case.system}, user) if case.system else (user,)
