"""ln f and its exact derivatives for a batch of parameter vectors, as the optimiser takes them."""
