"""Weights & Biases, fed from our records: W&B can be late, wrong or gone and nothing is lost.

content   what W&B is told about a run or a pack: names, config, rows, ending; imports no wandb
server    whether the server answers, asked with a time limit; imports no wandb
sender    one W&B run: each step once
sink      a process beside a job that tails its records and sends what is new
beside    how a job starts and ends that process
push      the same from finished records, many runs at once
dashboard workspace, report and artifacts of a sweep
"""
