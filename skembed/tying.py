"""Tying strategies: how word and context vectors share parameters.

`Tying` is the base class, also for strategies of your own: `share_context` takes an
object of any class that derives from it. The other classes are the built-in strategies,
which `share_context` also knows by name: `Separate` is False, `Tied` is True, `Signed`
is "signed", `Diagonal` is "diagonal", `Bilinear` is "bilinear", `OwnNoise` is "noise"
and `Three` is "three". `Factoriser` describes what a closed form works with.
"""

from skembed._tying.strategies import (
    Bilinear,
    Diagonal,
    Factoriser,
    OwnNoise,
    Separate,
    Signed,
    Three,
    Tied,
    Tying,
)

__all__ = [
    "Bilinear",
    "Diagonal",
    "Factoriser",
    "OwnNoise",
    "Separate",
    "Signed",
    "Three",
    "Tied",
    "Tying",
]
