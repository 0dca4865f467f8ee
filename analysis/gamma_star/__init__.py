"""gamma*(N) = a N^-b per arm: the best momentum at each depth and the law through them.

`fit(table, ...)` returns a `FitResult` and writes nothing. What it holds (all of it frozen
dataclasses of `records.py`, read by the figures and the report):

FitResult
    laws            list[Law]              what laws.json holds, one object per arm
    arms            dict[str, GammaStarFit] one per arm, in the table's order
    metric, form, window                   the frozen primary choice
    attribution     dict                   {"verdict": "momentum" | "softmax scale" | "untested" |
                                           "no law" | "not distinguishable", "finding": str, "arms": {arm: verdict}}
    specification   DataFrame              arm, metric, form, window, diverged, b, low, high, a,
                                           interior, depths, primary (bool): one row a choice
    training_time   DataFrame              arm, step, tokens, annealed, b, low, high, interior
                                           (empty without curves.parquet)
    divergence      DataFrame              arm, depth, width, gamma, runs, diverged, rate, fitted
    formation       DataFrame              arm, depth, width, gamma, runs, formed, rate, low, high,
                                           fitted
    learning_rates  DataFrame              arm, depth, width, gamma, lr, rates, tuned_on, at_edge
    fungibility     dict[str, Fungibility] per arm: N_eff, exchange, MRS (see explore/fungibility.py)
    notes           list[str]              findings, in words
    partial         bool                   the sweep is unfinished: no verdict

GammaStarFit (one arm)
    arm, metric, form, window
    curves      list[DepthCurve]    one per (depth, width), ascending
    line        DepthLine | None    the law on a fine grid of depths with its bands (None: no slope)
    law         Law                 the object in laws.json; its data holds, among others,
                                    "sign": `sign.Sign` (does momentum help, best tap angle, whether a
                                    law is asked) and "rate": `rate_law.RateLaw` (b_total, b_fixed,
                                    elasticity, fall, explained, depths, finding; absent without a slope)
    rivals      list[RivalFit]      name, delta_ic (positive: the rival is worse), its line, description
    held_out    HeldOut | None      deepest depth (or --hold-out) predicted from the others
    joint       JointFit | None     the one-stage cross-check: a, b, interval, agrees
    residuals   DataFrame           depth, width, gamma, seed, lr, fitted, residual (log metric),
                                    standardised: one row a run used
    sentences   list[str]           the verdict and its reasons, one sentence each

DepthCurve
    depth, width, metric
    gamma (G,), fitted (G,), low (G,), high (G,)   the curve in the metric's own unit with its 95 %
                                                   pointwise band, over the positive gammas' range
    observed    DataFrame  run_id, gamma, seed, value, status, used (bool; diverged rows unused)
    zero        float | None   mean metric of the gamma = 0 runs
    optimum     Optimum
    form, parameters (dict), misfit (dict: r2, p_lack_of_fit, adequate)

Optimum
    depth, width
    kind        "interior" | "right" | "left" | "none"   right: at or beyond the largest gamma
    gamma       float | None   the argmin (None unless interior); low, high its 95 % interval
    bound_low, bound_high      what a censored optimum is known to lie between (None: unbounded)
    plateau_low, plateau_high  gammas whose metric is within epsilon of the best; epsilon beside
    best        float | None   the metric at the optimum
    log_se      float | None   standard error of ln gamma*
    label       str
"""

from analysis.gamma_star.sweep import fit_table as fit

__all__ = ["fit"]
