"""How long work still takes, by its pace since it was first looked at."""

from __future__ import annotations

import time


class Pace:
    """Remembers the first share of the work that it was shown; starts anew where work was lost."""

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None

    def left_s(self, share: float, after_s: float = 0.0) -> float | None:
        """Seconds until all is done; None until work has moved, and for the first `after_s` seconds.

        `share`: of the whole work, 0 to 1.
        """
        now = time.monotonic()
        if self.first is None or share < self.first[1]:
            self.first = (now, share)
        begun, start = self.first
        if share <= start or now - begun < after_s:
            return None
        return (now - begun) * (1 - share) / (share - start)
