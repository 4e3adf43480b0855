"""The calls that gates make themselves: a second answer, or a grade.

The one rule: such a call is paid like any other, from the pools of the call that it is for; and it
goes to no model that may not see that call's data. This module must not know what is made of the
answer.
"""

from typing import NamedTuple

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.estimate import estimate
from farebox.core.gates import GateKind
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Candidate, Plan, Route
from farebox.gates.panel import Ask
from sidecar.commands import Purpose
from sidecar.dialects.openai_chat import ChatRequest, rewrite
from sidecar.dialects.openai_gates import grade_tokens, grading_body, single


class GateCall(NamedTuple):
    """A call that a gate makes. `body` is what is sent; None: the caller's own, for `request`."""

    purpose: Purpose
    call: Call
    plan: Plan
    request: ChatRequest
    body: bytes | None

    def body_for(self, route: Route) -> bytes:
        """What is sent to the model."""
        if self.body is not None:
            return self.body
        return rewrite(self.request, model=route.candidate.model, output_asked=route.output_asked)


def gate_call(
    need: Ask, request: ChatRequest, call: Call, found: Classification, policy: Policy
) -> GateCall | str:
    """The call that a gate needs, or why it can't be made."""
    named = policy.catalogue.find(need.model)
    if named is None:
        return "no tier lists the gate's model"
    tier, model = named
    if not {*found.residency, *call.identity.residency} <= model.residency:
        return "the gate's model may not see this call's data"
    if need.gate.kind is GateKind.GRADER:
        body = grading_body(model, need.messages)
        output, purpose = grade_tokens(model), Purpose.GRADE
        asked = Call(
            path=call.path,
            model=model.name,
            identity=call.identity,
            body_bytes=len(body),
            turns=len(need.messages),
            output_tokens=output,
        )
    else:
        body, purpose = None, Purpose.SECOND
        output = min(
            call.output_tokens or policy.routing.output_tokens_default, model.max_output_tokens
        )
        asked = call._replace(model=model.name, choices=1, output_tokens=output)
    bound = estimate(asked, model, output_asked=output)
    plan = Plan(
        candidates=(Candidate(tier, model, bound, sufficient=True),),
        rejected=(),
        output_min=output,
        preference=Reason.MODEL_PINNED,
    )
    return GateCall(purpose, asked, plan, single(request), body)
