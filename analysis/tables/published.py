"""Values published elsewhere that ours are set beside, each in this one place."""

from __future__ import annotations

GAMMA_STAR = (4.17, 0.74)  # a and b of gamma*(N) = a N^-b: arXiv 2602.04902, abstract
