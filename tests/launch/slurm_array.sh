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

# job_of SWEEP-ARGUMENTS...: submits a sweep, prints the number of its job
job_of() {
  local said
  said=$("$binary" sweep "$@") || return
  grep -oP '^submitted job \K[0-9]+' <<<"$said"
}

# wait_for_end JOB
wait_for_end() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  wait_for 300 bash -c '[ -z "$(squeue -h -j "$1" -o %T)" ]' bash "$1"
}

job=$(job_of "${arguments[@]}") || fail 'the sweep was not submitted'

# Once it has made a step.
wait_for 120 grep -q '"loss"' "$preempted/metrics.jsonl" || fail 'the cell that is to be preempted does not start'
[ ! -e "$preempted/eval.json" ] || fail 'the cell ended before it could be preempted'
# It may complain of the batch step and still deliver: what follows shows whether it did.
scancel --batch --signal=USR1 "${job}_1" || true
wait_for_end "$job" || fail 'the array does not end'

grep -q 'requeueing' "coterie-sweep-${job}_1.log" || fail 'the preempted task was not requeued'
grep -q 'start 1' "coterie-sweep-${job}_1.log" || fail 'the preempted task did not come back'
grep -q 'continuing at step' "$preempted/log.txt" || fail 'the preempted cell began anew'
# Slurm may deliver the signal once more, to the task that came back; to no other task.
[ "$(grep -l 'requeueing' coterie-sweep-"${job}"_*.log)" = "coterie-sweep-${job}_1.log" ] || fail 'others were requeued'
table=$("$binary" sweep "${arguments[@]}") || fail 'the sweep after its end'
[ "$(grep -c '^optim.lr=.*all.average_precision' <<<"$table")" -eq 4 ] || fail "a finished sweep shows no table, but: $table"

# A cell of two ranks, in an allocation of two tasks, and one that fails: only that one is submitted again.
wide=(run.toml ranks=2 'model.checkpoint=hf,missing' sweep.name=wide train.steps=4 eval.untouched=false
  "batch_script=$COTERIE_SOURCE_DIR/launch/slurm/sweep.sbatch" launcher=slurm)
job=$(job_of "${wide[@]}") || fail 'the sweep of two ranks was not submitted'
wait_for_end "$job" || fail 'the array of two ranks does not end'
said=$("$binary" sweep "${wide[@]}" --status)
grep -q 'checkpoint=hf .* 2  finished' <<<"$said" || fail "the cell of two ranks did not finish: $said"
grep -q 'checkpoint=missing .* failed (exit code 64)' <<<"$said" || fail "the cell without a model did not fail: $said"
said=$("$binary" sweep "${wide[@]}") || fail 'the second submission'
[[ "$said" == *' of 1 cell;'* ]] || fail "a finished cell was submitted again: $said"
