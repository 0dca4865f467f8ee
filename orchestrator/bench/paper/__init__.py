"""What a GPU would run, found on a machine without one: the step lowered, its kernels counted."""
