"""What can be set: read from the declarations, shown, completed in the shell, written for a run."""
