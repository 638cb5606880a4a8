#!/usr/bin/env bash
# Runs a command beside a Slurm of its own: one node, with its own munge, ports and folders.
#
#   private_slurm.sh FOLDER COMMAND [ARGUMENT...]
#
# SLURM_CONF leads the command to it. Exits with the command's code; 77 where Slurm is not installed or cannot be
# started by this user (slurmd must run as root). What it started it stops, by number.
set -uo pipefail
readonly SKIPPED=77
folder=$1
shift
PATH=$PATH:/usr/sbin:/sbin

for tool in slurmctld slurmd munged sbatch scontrol squeue sinfo scancel; do
  command -v "$tool" >/dev/null && continue
  echo "skipped: no $tool; apt-get install --no-install-recommends slurm-wlm munge"
  exit "$SKIPPED"
done
if [ "$(id -u)" -ne 0 ]; then
  echo 'skipped: slurmd must run as root'
  exit "$SKIPPED"
fi

pids=()
stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
}
trap stop_all EXIT

fail() {
  echo "private_slurm.sh: $*"
  tail -n 20 "$folder"/log/*.log
  exit 1
}

# wait_for SECONDS COMMAND...
wait_for() {
  local tries=$(($1 * 10))
  shift
  for ((; tries > 0; tries--)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  return 1
}

# Two ports that nothing listens on, from a pair that this process makes its own.
port=$((21000 + $$ % 4000 * 2))
host=$(hostname -s)
mkdir -p "$folder"/{etc,munge,state,spool,log}
chmod 700 "$folder/munge"

dd if=/dev/urandom of="$folder/munge/key" bs=1 count=1024 status=none
chmod 400 "$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" --num-threads=2 >"$folder/log/munged.log" 2>&1 &
pids+=($!)
wait_for 10 test -S "$folder/munge/socket" || fail 'munged does not start'

# cred_expire is how long a requeued job waits; by default two minutes. Two CPUs, however many there are.
cat >"$folder/etc/slurm.conf" <<END
ClusterName=coterie
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
ReturnToService=2
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdParameters=config_overrides
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
KillWait=10
JobRequeue=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
END
export SLURM_CONF="$folder/etc/slurm.conf"

slurmctld -D >"$folder/log/slurmctld.out.log" 2>&1 &
pids+=($!)
slurmd -D >"$folder/log/slurmd.out.log" 2>&1 &
pids+=($!)
# shellcheck disable=SC2016  # expanded by the inner shell
wait_for 60 bash -c '[ "$(sinfo -h -o %t)" = idle ]' || fail 'the node does not come up'

"$@"
