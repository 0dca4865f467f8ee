"""Law forms, one small file (or folder) of pure functions each."""
