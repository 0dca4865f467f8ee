#!/bin/bash
# Brings up a real Slurm cluster on this machine, fresh: munged, mariadbd, slurmdbd, slurmctld and
# four slurmd (n1..n4, 16 pretended CPUs and 4 pretended GPUs each). Needs root and the packages
# slurm-wlm munge slurmdbd slurm-wlm-mysql-plugin mariadb-server. All of it lives under $LAB:
# nothing in /etc is touched, and clients reach it by SLURM_CONF=$LAB/etc/slurm.conf.
set -e
L="${LAB:?set LAB to a folder for the cluster}"
H=$(hostname -s)
LAB="$L" bash "$(dirname "$0")/stop.sh"
rm -rf "$L"/{etc,run,log,spool,state,mysql,dev,munge}
mkdir -p "$L"/{etc,run,log,spool,state,mysql,dev,munge}
chmod 0700 "$L/munge"
export SLURM_CONF="$L/etc/slurm.conf"
# GRES files must be character devices, else Slurm does not set CUDA_VISIBLE_DEVICES.
for i in 0 1 2 3; do mknod "$L/dev/gpu$i" c 1 3; done
cat > "$SLURM_CONF" <<C
ClusterName=lab
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$L/munge/socket,cred_expire=12
SlurmctldPort=16817
SlurmctldPidFile=$L/run/slurmctld.pid
SlurmdPidFile=$L/run/slurmd.%n.pid
SlurmctldLogFile=$L/log/slurmctld.log
SlurmdLogFile=$L/log/slurmd.%n.log
SlurmdSpoolDir=$L/spool/%n
StateSaveLocation=$L/state
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
KillWait=2
SlurmctldTimeout=10
SlurmdTimeout=10
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$L/munge/socket
AccountingStorageTRES=gres/gpu
NodeName=n[1-4] NodeHostname=$H NodeAddr=127.0.0.1 Port=[17001-17004] CPUs=16 Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 RealMemory=20000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=low  Nodes=n[1-4] MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=lowg Nodes=n[1-4] MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=high Nodes=n[1-4] MaxTime=INFINITE State=UP PriorityTier=100 PreemptMode=OFF
C
echo "NodeName=n[1-4] Name=gpu File=$L/dev/gpu[0-3]" > "$L/etc/gres.conf"
( umask 077; cat > "$L/etc/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$L/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
PidFile=$L/run/slurmdbd.pid
LogFile=$L/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
C
)
wait_for() {
  for _ in $(seq 300); do timeout 10 bash -c "$1" > /dev/null 2>&1 && return 0; sleep 0.1; done
  echo "gave up waiting for: $1; see $L/log" >&2; exit 1
}
dd if=/dev/urandom of="$L/munge/key" bs=128 count=1 status=none; chmod 0600 "$L/munge/key"
munged --force --key-file="$L/munge/key" --socket="$L/munge/socket" --pid-file="$L/run/munged.pid" \
  --log-file="$L/log/munged.log" --seed-file="$L/munge/seed" < /dev/null > /dev/null 2>&1
wait_for "munge -S '$L/munge/socket' -n | unmunge -S '$L/munge/socket'"
mariadb-install-db --no-defaults --user=root --datadir="$L/mysql" \
  --auth-root-authentication-method=normal --skip-test-db > "$L/log/mysql_install.log" 2>&1
setsid mariadbd --no-defaults --user=root --datadir="$L/mysql" --socket="$L/mysql/my.sock" \
  --pid-file="$L/mysql/my.pid" --bind-address=127.0.0.1 --port=13306 \
  --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 \
  --innodb-lock-wait-timeout=900 --skip-name-resolve > "$L/log/mariadbd.log" 2>&1 < /dev/null &
M="mariadb --no-defaults -uroot -S $L/mysql/my.sock"
wait_for "$M -e 'select 1'"
$M -e "create database slurm_acct_db; create user slurm@'127.0.0.1' identified by 'slurm';
       grant all on slurm_acct_db.* to slurm@'127.0.0.1'"
slurmdbd < /dev/null > /dev/null 2>&1
wait_for 'sacctmgr -n list cluster'
slurmctld -i < /dev/null > /dev/null 2>&1
for n in 1 2 3 4; do slurmd -N n$n < /dev/null > /dev/null 2>&1; done
wait_for '[ "$(sinfo -h -p main -t idle -o %D)" = 4 ]'
