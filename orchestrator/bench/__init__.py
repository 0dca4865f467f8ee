"""What this machine does: the speed of a shape's step, its limit, and its compilation."""
