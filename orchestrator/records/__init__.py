"""Records on the file system: the truth about what was planned, tried and found.

STORE/packs/<pack>/pack.json        frozen plan of a pack, written once
STORE/packs/<pack>/0001.claim       attempt 1: created exclusively, says who owns it
STORE/packs/<pack>/0001/            what it wrote: results, curves, progress, checkpoint, end
STORE/sweeps/<sweep>/<time>.json    manifest of one submission
"""
