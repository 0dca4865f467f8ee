"""Weights & Biases, fed from our records: W&B can be late, wrong or gone and nothing is lost.

beside     how a job starts, tells and ends the process that sends for it
sink       that process: follows the job's records and sends what is new
feed       a pack's growing records as W&B runs; whole: a sweep's
content    what W&B is told: names, config, rows, endings, as functions of the records
sender     one W&B run, each step once: the only module that feeds the wandb client
server     which server is meant and whether it answers
marker     which process sends an attempt, so that no two do
push       send what W&B lacks, many runs at once; parcels: what the records hold
dashboard  workspace, report and artifacts; pages: their specifications; facets: what they show
choice     where a sweep goes; limits: how many W&B runs it may become

Only sender, push, dashboard and pages import wandb, and only when they are called.
"""
