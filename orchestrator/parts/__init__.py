"""Parts of one's own: what each must provide, and the trial that each passes before anything is
written. docs/parts.md has an example of each.

One file a kind (task, operator, attention, model, ...): its Protocol and its trial. `own` finds a
part and says which parts of a run are not ours; `source` hashes them into the run's identity;
`recorded` stands for them where records are read, so that nobody's code is imported there.
"""
