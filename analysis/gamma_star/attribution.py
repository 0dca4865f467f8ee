"""What a falling gamma* is due to: momentum only if the law survives norm matching and is absent
with the softmax scale alone.

Arms by name: norm_matched (q, k divided by the filter's gain), gain_only (the scale without the
shear), raw_first or raw_one_layer (momentum in one layer).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.gamma_star.records import GammaStarFit
from analysis.gamma_star.verdict import SLIGHT

NORM_MATCHED, GAIN_ONLY = "norm_matched", "gain_only"
ONE_LAYER = ("raw_first", "raw_one_layer", "first_layer")


def falls(fit: GammaStarFit | None) -> bool | None:
    """Whether gamma* falls with depth in an arm: b's interval above 0. False needs evidence too:
    no finite optimum, or an interval that ends below SLIGHT. None: can't be told."""
    if fit is None:
        return None
    b = fit.law.parameters["b"]
    if b.low is not None and b.low > 0:
        return True
    if endless(fit) or (b.high is not None and b.high < SLIGHT):
        return False
    return None


def endless(fit: GammaStarFit) -> bool:
    """Whether most of an arm's depths have no finite optimum."""
    return sum(c.optimum.kind == "right" for c in fit.curves) > len(fit.curves) / 2


def overlap(one: GammaStarFit, other: GammaStarFit) -> bool | None:
    """Whether two arms' intervals of b overlap."""
    p, q = one.law.parameters["b"], other.law.parameters["b"]
    if None in (p.low, p.high, q.low, q.high):
        return None
    return p.low <= q.high and q.low <= p.high


def attribute(arms: Mapping[str, GammaStarFit]) -> dict[str, Any]:
    """The reading of all arms together, in words; `verdict` is one of momentum, softmax scale,
    no law, untested, not distinguishable."""
    seen = {arm: fit.law.verdict or "no verdict" for arm, fit in arms.items()}
    matched, gain = arms.get(NORM_MATCHED), arms.get(GAIN_ONLY)
    unmatched = next(
        (arms[a] for a in arms if a not in (NORM_MATCHED, GAIN_ONLY, *ONE_LAYER)), None
    )
    findings, verdict = [], "not distinguishable"
    if matched is None:
        verdict = "untested"
        findings.append("no norm_matched arm: a falling γ* can't be told from the softmax scale")
    elif falls(matched) and (gain is None or falls(gain) is False):
        verdict = "momentum" if gain is not None else "untested"
        findings.append("γ* falls with depth under norm matching as well")
        findings.append("and doesn't in the gain-only arm" if gain is not None
                     else "but there is no gain_only arm to compare with")  # fmt: skip
    elif falls(matched) is False and unmatched is not None and falls(unmatched):
        verdict = "softmax scale"
        how = "has no finite optimum" if endless(matched) else "doesn't fall with depth"
        findings.append(f"γ* falls in {unmatched.arm} but {how} once the norm is matched: "
                     f"what falls is the softmax scale")  # fmt: skip
    elif falls(matched) and gain is not None and falls(gain):
        verdict = "softmax scale"
        findings.append("γ* falls in the gain-only arm too, where there is no momentum")
    elif unmatched is not None and falls(unmatched) is False and falls(matched) is False:
        verdict = "no law"
        findings.append("γ* doesn't fall with depth in any arm that would show it")
    else:
        findings.append("the arms' intervals are too wide to tell momentum from the softmax scale")
    one = next((arms[a] for a in ONE_LAYER if a in arms), None)
    if one is not None and falls(one) is not None and unmatched is not None and falls(unmatched):
        findings.append("with momentum in one layer γ* " + (
            "falls as well" if falls(one) else "doesn't fall: the fall comes from layers adding up"
        ))  # fmt: skip
    return {"verdict": verdict, "finding": "; ".join(findings), "arms": seen}


def check(arm: str, reading: Mapping[str, Any]) -> dict[str, Any] | None:
    """The check an arm's law gets from the other arms; None where the arm needs none.

    passed None: untested, which leaves the law a regularity of its arm and says so.
    """
    if arm in (GAIN_ONLY, *ONE_LAYER):
        return None
    passed = {"momentum": True, "softmax scale": False, "untested": None,
              "no law": None, "not distinguishable": None}[reading["verdict"]]  # fmt: skip
    if arm == NORM_MATCHED and passed is None:
        return None
    return {"passed": passed, "value": reading["verdict"], "contradicted": passed is False,
            "finding": reading["finding"]}  # fmt: skip
