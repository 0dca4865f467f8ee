"""Tables in: read, checked, put on a metric's scale; laws.json and a saved fit in and out."""
