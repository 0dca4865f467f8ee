"""What a person sees: the screen, the page, the figures. Computes nothing that is not drawn."""
