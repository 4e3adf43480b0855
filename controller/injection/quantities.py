"""Kubernetes' quantities: "20m" of a CPU, "64Mi" of memory.

The one rule: a quantity is kept as it was written and compared exactly. This module must not know
what it measures.
"""

import re
from fractions import Fraction
from typing import Final

from farebox.manifests.documents import Scalar, Written
from farebox.manifests.scalars import Reader, Unfit, described, shown

_QUANTITY: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_FACTORS: Final = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    "M": Fraction(1000**2),
    "G": Fraction(1000**3),
    "T": Fraction(1000**4),
    "Ki": Fraction(1024),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
    "Ti": Fraction(1024**4),
}


def size_of(text: str) -> Fraction:
    """How much a quantity is. Raises ValueError with a sentence's end for what is none."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"is {shown(text)}")
    return Fraction(match.group(1)) * _FACTORS[match.group(2) or ""]


def quantity(least: str, most: str, example: str) -> Reader[str]:
    """A quantity within bounds, as it is written."""
    wanted = f'a quantity from {least} to {most}, for example "{example}"'

    def read(scalar: Scalar) -> str:
        if scalar.written not in {Written.TEXT, Written.WHOLE, Written.FRACTION}:
            raise Unfit(f"is {described(scalar)}: write {wanted}")
        try:
            size = size_of(scalar.text)
        except ValueError as error:
            raise Unfit(f"{error}: write {wanted}") from None
        if not size_of(least) <= size <= size_of(most):
            raise Unfit(f"is {shown(scalar.text)}: write {wanted}")
        return scalar.text

    return Reader(wanted=wanted, read=read, stand_in=example)


CPU: Final = quantity("1m", "64", "20m")
MEMORY: Final = quantity("16Mi", "64Gi", "64Mi")
STATE: Final = quantity("16Mi", "16Gi", "160Mi")
