"""What is looked at beside the primary law: other choices, training time, exchange, formation."""
