"""What stands for money and functions in a run really has their shape."""

from farebox.gates.functions import Functions as RealFunctions
from sidecar.cashier import Cashier
from sidecar.inbound.connection import Caller as RealCaller
from sidecar.surroundings import Caller, Functions, Money, unpaced
from tests.support.policies import make_call, make_policy
from tests.support.tills import Till


def test_the_real_parts_fit() -> None:
    money: type[Money] = Cashier
    till: Money = Till()
    functions: Functions = RealFunctions()
    caller: type[Caller] = RealCaller
    assert None not in (money, till, functions, caller)


def test_without_pacing_every_call_has_its_own_way() -> None:
    assert unpaced(make_call(), make_policy()) is None
