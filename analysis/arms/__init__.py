"""Every arm side by side: each at the setting that some seeds chose, judged on the others."""
