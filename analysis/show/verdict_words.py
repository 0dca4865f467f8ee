"""The verdict in words that need no paper: what was asked, what these runs say, and why.

Guarantee: nothing is decided here; each sentence says a check's own outcome with its finding.
"""

from __future__ import annotations

from typing import Any

from analysis.gamma_star.records import FitResult, GammaStarFit
from analysis.tables.published import GAMMA_STAR
from analysis.text import bracket, estimate, number

QUESTION = (
    "Momentum attention adds γ(q_t − q_(t−1)) to every query, and the same to every key: a token "
    "sees how its predecessor's differs. Too little γ does nothing, too much drowns the content, so "
    "a best γ may lie between. The claim to test is a power law: in a model of N layers the best is "
    f"γ*(N) = a·N^-b, published as a = {GAMMA_STAR[0]}, b = {GAMMA_STAR[1]}: the deeper, the less."
)
ARMS = {
    "raw": "the operator as published",
    "norm_matched": "the same filter divided by its gain, so that γ does not sharpen the softmax",
    "gain_only": "the filter's gain alone, without momentum",
    "raw_first": "momentum in the first layer alone",
    "raw_middle": "momentum in the middle layer alone",
    "raw_last": "momentum in the last layer alone",
    "key_only": "momentum on keys alone",
    "query_only": "momentum on queries alone",
    "on_values": "the filter on values alone",
    "pre_rope": "the filter before the rotary embedding",
}
ANSWERS = {
    "supported": "Yes: a power law describes the best γ, and every check of it passed",
    "not supported": "No: these runs contradict a power law of the best γ",
    "not distinguishable": "Can't be told: these runs fit a power law, and also its absence",
    None: "No verdict yet: the sweep is unfinished",
}
# a check that did not pass, in plain words; its own finding follows
FAILED = {
    "depths": "too few depths have their best γ inside the range tried (6 are needed)",
    "slope": "the exponent cannot be determined",
    "learning_rate": "a learning rate that is off at some depth moves the best γ there, and this "
    "is not ruled out",
    "sign": "the best γ is not above 0",
    "equivalence": "some depth's best γ lies off the fitted line, or may, by more than 25 %",
    "rivals": "another formula describes the same depths as well",
    "held_out": "the deepest model is not predicted by the shallower ones better than by one "
    "γ for all",
    "stable": "the exponent may be 0 or hangs on a single depth",
    "widths": "the exponent differs between widths, or may",
    "attribution": "a sharper softmax, not momentum, may be what the best γ follows",
    "holm": "over all arms together the exponent may be 0",
    "lost_depths": "at some depths too few runs converged to see a best γ",
    "lost_runs": "the runs that diverged could turn the answer",
    "formation": "runs either learn the task or don't, and the best γ is then the one at which "
    "they learn at all",
}
MOST = 2


def of_result(result: FitResult) -> str:
    """The answer over all arms, in a sentence."""
    verdicts = {arm: fit.law.verdict for arm, fit in result.arms.items()}
    if None in verdicts.values():
        return f"{ANSWERS[None]}."
    if one_depth(result):
        return "These runs have one depth: they say nothing of a law of depth."
    yes = [arm for arm, word in verdicts.items() if word == "supported"]
    no = [arm for arm, word in verdicts.items() if word == "not supported"]
    if yes:
        return f"A power law holds in {', '.join(yes)} ({len(yes)} of {len(verdicts)} arms)."
    if len(no) == len(verdicts):
        return "No arm follows a power law: the data contradict it."
    if no:
        return f"No power law was found: the data contradict it in {', '.join(no)}, and don't decide elsewhere."
    return "Whether there is a power law can't be told from these runs."


def one_depth(result: FitResult) -> bool:
    """Whether no arm was run at two depths."""
    return all(len({c.depth for c in fit.curves}) < 2 for fit in result.arms.values())


def of_arms(result: FitResult) -> list[tuple[list[str], str, list[str]]]:
    """(arms, answer, reasons), arms of the same words together, in the table's order."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for arm, fit in result.arms.items():
        answer, why = of_arm(fit)
        if one_depth(result):
            known = fit.law.data.get("sign", {}).get("finding")
            answer, why = "Of γ itself:", [sentence(known)] if known else []
        alike.setdefault((fit.law.verdict or "no verdict", answer, tuple(why)), []).append(arm)
    return [(arms, answer, list(why)) for (_, answer, why), arms in alike.items()]


def of_arm(fit: GammaStarFit) -> tuple[str, list[str]]:
    """The answer for one arm, and its reasons, the weightiest first."""
    law = fit.law
    answer = ANSWERS[law.verdict]
    b = law.parameters.get("b")
    if b is not None and b.estimate is not None:
        answer += f"; b = {estimate(b.estimate, b.low, b.high)}"
    return answer + ".", reasons(fit)


def reasons(fit: GammaStarFit) -> list[str]:
    """Why: edges that hide the optimum, failed checks in plain words, the published pair."""
    law, said = fit.law, []
    every = [c.optimum for c in fit.curves]
    for kind, words in (
        ("right", "the metric keeps improving, or stays as good, up to the largest γ tried"),
        ("left", "the smallest γ tried is already the best"),
    ):
        at = [str(o.depth) for o in every if o.kind == kind]
        if at:
            said.append(
                f"{words} at depth {', '.join(dict.fromkeys(at))}, so no best γ is seen there"
            )
    failed = {n: c for n, c in law.checks.items() if c.get("passed") is False
              or (n == "learning_rate" and c.get("passed") is None)}  # fmt: skip
    order = sorted(failed, key=lambda n: not failed[n].get("contradicted"))
    if law.verdict != "supported":
        said += [f"{FAILED.get(n, n.replace('_', ' '))} ({failed[n]['finding']})"
                 for n in order if n != "depths" or not said]  # fmt: skip
    out = [sentence(s) for s in said[:MOST]]
    if len(said) > MOST:
        out.append(f"What else failed ({len(said) - MOST}) is listed under the arm.")
    return out + published(law.data.get("published"))


def published(test: dict[str, Any] | None) -> list[str]:
    """How the published pair fares."""
    if not test or test.get("p") is None:
        return []
    word = "is excluded" if test["excluded"] else "is not excluded"
    return [
        f"The published pair a = {test['a']}, b = {test['b']} {word} (p = {number(test['p'], 2)})."
    ]


def sentence(words: str) -> str:
    """With a capital, unless it opens with a symbol such as b or γ*, and a full stop."""
    symbol = words.partition(" ")[0].rstrip("*:") in ("b", "γ", "N")
    return (words if symbol else words[:1].upper() + words[1:]) + "."


def formula(fit: GammaStarFit) -> str:
    """The fitted law with its numbers, where there is one."""
    a, b = (fit.law.parameters.get(name) for name in "ab")
    if a is None or b is None or a.estimate is None or b.estimate is None:
        return "no law was fitted: the data do not fix one"
    return (f"fitted γ*(N) = {number(a.estimate)}·N^{number(-b.estimate)}, "
            f"a {bracket(a.low, a.high)}, b {bracket(b.low, b.high)}")  # fmt: skip
