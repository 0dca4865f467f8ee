"""The first minutes of a GPU: what only one can show, in pieces that go on where the last one stopped."""
