"""Judging an answer while profiling: the same panel of gates as in the sidecar, paid from the till.

Each answer is judged twice: with what is expected (is it right), and without (would production
accept it); a question to a model that both need is paid once. The one rule: a gate that could not
be run has not passed. This module must not know tiers or proposals.
"""

from collections.abc import Sequence
from typing import NamedTuple

from farebox.core.call import Call, Identity
from farebox.core.estimate import estimate
from farebox.core.gates import Gate, GateKind, Verdict
from farebox.core.tiers import Capability, Catalogue, Model
from farebox.gates.functions import Functions
from farebox.gates.grading import GRADE_TOKENS_MAX, GRADE_TOKENS_MAX_THINKING
from farebox.gates.panel import Ask, Panel
from farebox.launch.paying import Payer
from farebox.launch.provider import LostError, RefusedError
from farebox.launch.samples import PATH, Sample, case_of, question_body


class Judged(NamedTuple):
    """Verdicts up to the first that is no yes, and what asking models for them cost (n$)."""

    verdicts: tuple[Verdict, ...]
    in_production: tuple[Verdict, ...]
    cost: int


class Judge:
    """Runs panels; asks models through the payer and functions in processes of their own."""

    def __init__(
        self, catalogue: Catalogue, payer: Payer, functions: Functions, *, output_default: int
    ) -> None:
        self._catalogue = catalogue
        self._payer = payer
        self._functions = functions
        self._output_default = output_default

    async def judge(
        self, gates: Sequence[Gate], sample: Sample, answer: str, *, served: str
    ) -> Judged:
        """Judge one answer of the model `served`.

        Raises CapReachedError when a gate's question to a model does not fit the cap.
        """
        in_production, cost = await self._panel(gates, sample, answer, served, with_expected=False)
        if sample.expected is None:
            return Judged(in_production, in_production, cost)
        verdicts, _ = await self._panel(gates, sample, answer, served, with_expected=True)
        return Judged(verdicts, in_production, cost)

    async def _panel(
        self, gates: Sequence[Gate], sample: Sample, answer: str, served: str, *,
        with_expected: bool,
    ) -> tuple[tuple[Verdict, ...], int]:  # fmt: skip
        panel = Panel(gates, (answer,), case_of(sample, with_expected=with_expected), served=served)
        cost = 0
        while (need := panel.next()) is not None:
            if isinstance(need, Ask):
                try:
                    reply, paid = await self._ask(need, sample)
                except (RefusedError, LostError) as error:
                    panel.hear(None, str(error))
                else:
                    cost += paid
                    panel.hear(reply)
            else:
                panel.take(await self._functions.judge(need.gate, need.answer, need.case))
        return tuple(panel.verdicts), cost

    async def _ask(self, need: Ask, sample: Sample) -> tuple[str, int]:
        found = self._catalogue.find(need.model)
        if found is None:
            raise RefusedError("no tier has the gate's model", again=False)
        model = found[1]
        output = min(self._output_of(need, model, sample), model.max_output_tokens)
        body = question_body(model, need.messages, output=output)
        call = Call(
            path=PATH,
            model=model.name,
            identity=Identity(),
            body_bytes=len(body),
            turns=len(need.messages),
        )
        worst = estimate(call, model, output_asked=output).worst
        line = await self._payer.ask(model, body, worst=worst)
        return line.text, line.cost

    def _output_of(self, need: Ask, model: Model, sample: Sample) -> int:
        if need.gate.kind is not GateKind.GRADER:
            return sample.output_asked or self._output_default
        thinks = Capability.REASONING in model.capabilities
        return GRADE_TOKENS_MAX_THINKING if thinks else GRADE_TOKENS_MAX
