"""What a loss costs with momentum, over what it costs without: FLOPs, parameters, time."""
