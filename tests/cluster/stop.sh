#!/bin/bash
# Stops what start.sh started under $LAB, by its pid files alone, and the jobs that run there.
L="${LAB:?set LAB to the folder of the cluster}"
export SLURM_CONF="$L/etc/slurm.conf"
# Where process 1 does not reap, `kill -0` finds the dead: look at the state instead.
lives() { case "$(ps -o stat= -p "$1" | cut -c1)" in ''|Z) return 1;; esac; }
stop() {
  local pids=() f p
  for f in "$@"; do [ -s "$f" ] && pids+=("$(cat "$f")"); done
  for p in "${pids[@]}"; do kill "$p" 2> /dev/null; done
  for p in "${pids[@]}"; do
    for _ in $(seq 100); do lives "$p" || break; sleep 0.1; done
    lives "$p" && kill -9 "$p"
  done
  rm -f "$@"
}
if [ -s "$L/run/slurmctld.pid" ]; then timeout 5 scancel --user=root 2> /dev/null; sleep 1; fi
stop "$L"/run/slurmd.*.pid
stop "$L/run/slurmctld.pid"
stop "$L/run/slurmdbd.pid"
stop "$L/mysql/my.pid"
stop "$L/run/munged.pid"
true
