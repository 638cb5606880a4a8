#!/usr/bin/env bash
# A sweep of four cells as an array job, one of which is preempted and comes back; run by private_slurm.sh in a folder
# that holds run.toml and what it needs. Leaves the sweep's folder for the test to look at.
set -uo pipefail
binary=${COTERIE_BINARY:?}
arguments=(run.toml "optim.lr=1e-3,2e-3,3e-3,4e-3" sweep.name=study eval.untouched=false
  train.steps=2000 train.save_every=100000 train.eval_every=100000
  "batch_script=${COTERIE_SOURCE_DIR:?}/launch/slurm/sweep.sbatch" launcher=slurm)
preempted=runs/study/optim.lr=2e-3

fail() {
  echo "failed: $*"
  squeue -a
  tail -n 60 coterie-sweep-*.log runs/study/*/log.txt
  exit 1
}

# wait_for SECONDS COMMAND...
wait_for() {
  local tries=$(($1 * 20))
  shift
  for ((; tries > 0; tries--)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.05
  done
  return 1
}

said=$("$binary" sweep "${arguments[@]}") || fail 'the sweep was not submitted'
job=${said##* }
[[ "$job" =~ ^[0-9]+$ ]] || fail "no job number in '$said'"

# Once it has made a step.
wait_for 120 grep -q '"loss"' "$preempted/metrics.jsonl" || fail 'the cell that is to be preempted does not start'
[ ! -e "$preempted/eval.json" ] || fail 'the cell ended before it could be preempted'
# It may complain of the batch step and still deliver: what follows shows whether it did.
scancel --batch --signal=USR1 "${job}_1" || true
# shellcheck disable=SC2016  # expanded by the inner shell
wait_for 300 bash -c '[ -z "$(squeue -h -j "$1" -o %T)" ]' bash "$job" || fail 'the array does not end'

grep -q 'requeueing' "coterie-sweep-${job}_1.log" || fail 'the preempted task was not requeued'
grep -q 'start 1' "coterie-sweep-${job}_1.log" || fail 'the preempted task did not come back'
grep -q 'continuing at step' "$preempted/log.txt" || fail 'the preempted cell began anew'
# Slurm may deliver the signal once more, to the task that came back; to no other task.
[ "$(grep -l 'requeueing' coterie-sweep-"${job}"_*.log)" = "coterie-sweep-${job}_1.log" ] || fail 'others were requeued'
said=$("$binary" sweep "${arguments[@]}") || fail 'the second submission'
[ "$said" = 'every cell is finished' ] || fail "a finished sweep was submitted again: $said"
