"""Records on the file system: the truth about what was planned, tried and found.

STORE/packs/<pack>/pack.json          frozen plan of a pack, written once
STORE/packs/<pack>/0001.claim         attempt 1: created exclusively, says who owns it
STORE/packs/<pack>/0001/              what it writes: curves, progress, two checkpoints, end
STORE/packs/<pack>/results-000.json   what counts of slice 0: created exclusively, never changed
STORE/sweeps/<sweep>/000001.json      manifest of one submission, numbered through the store
STORE/jobs/000001.json                a job array that was handed to Slurm, numbered

A file is created exclusively, replaced whole, or appended to by its one owner; it ends with a
checksum. One that is damaged is renamed to NAME.damaged, named in one line, and counts as absent:
a claim's owner as dead, a checkpoint as the one before it, a result as not yet trained.
"""
