"""Published law forms on anyone's table: one small file a form, then fit, rivals, verdict.

FORMS: name on the command line -> the module that holds it, and the names to map.
"""

from __future__ import annotations

FORMS = {
    "power": ("power", "x, y"),
    "offset-power": ("offset_power", "x, y"),
    "chinchilla": ("chinchilla", "N, D, L"),
    "isoflop": ("isoflop", "C, L and N or D"),
    "over-training": ("over_training", "N, D, L"),
    "data-constrained": ("data_constrained", "N, D, U, L"),
    "broken-power": ("broken_power", "x, y"),
    "step-law": ("step_law", "N, D, lr"),
    "depth-width": ("depth_width", "width, depth, D, L"),
}
