#!/usr/bin/env bash
# Checks everything that needs a GPU and writes one report: builds the preset cuda, runs the GPU tests and
# compute-sanitizer, repeats runs, resumes them across devices, and measures, beside sentence-transformers where it is.
#
#   launch/gpu_check.sh [OUT=gpu_check]
#
# OUT/report.md says what passed, failed and was left out, OUT/NAME.log has the output of each check. Exits 0 if none
# failed. Settings, all from the environment:
#   COTERIE_PAIRS   folder with documents.jsonl and pairs.jsonl (format `plain`): measured instead of a made corpus
#   PEER_PYTHON     a Python with torch, transformers and sentence-transformers, for the comparison
#   PEER_SCRIPT     the peer's script, ../shared/peers/sentence_transformers_train.py by default
#   COTERIE_CHECK_LIMIT  seconds that one command of a check may take, 900 by default
#   and those of launch/bootstrap.sh: on a machine without network COTERIE_PACKAGES=0, COTERIE_TORCH, and a checkpoint
#   of MiniLM's shape as COTERIE_CACHE/models/all-MiniLM-L6-v2
set -uo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
[ $# -le 1 ] || die "$EXIT_USAGE" "at most one argument is taken, the folder of the report, got '$*'"

mkdir -p -- "${1:-gpu_check}" || die "$EXIT_IO" "cannot create the folder '${1:-gpu_check}'"
out=$(cd -- "${1:-gpu_check}" && pwd)
report="$out/report.md"
export COTERIE_BINARY="$root/build/cuda/coterie"
peer_script=${PEER_SCRIPT:-$root/../shared/peers/sentence_transformers_train.py}
corpus="$out/corpus.h5"
failures=0
limit=${COTERIE_CHECK_LIMIT:-900}
# What an earlier check left would be taken for what this one did; a folder of anything else is left alone.
[ -z "$(ls -A -- "$out")" ] || grep -qs '^# GPU check' "$report" ||
  die "$EXIT_USAGE" "the folder of the report must be empty or an earlier check's, got '$out'"
rm -rf -- "$out/runs"
rm -f -- "$out"/*.json "$out"/*.log "$corpus"
gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)
bench_launcher=("$COTERIE_BINARY")

# Nothing hangs a check for ever.
limited() { timeout --kill-after=10 "$limit" "$@"; }

# check NAME COMMAND...: runs it, keeps its output, and adds a line to the report.
check() {
  local name=$1 start=$SECONDS verdict=passed
  shift
  say "$name"
  if ! "$@" >"$out/$name.log" 2>&1 </dev/null; then
    verdict=FAILED
    failures=$((failures + 1))
    tail -n 5 -- "$out/$name.log" >&2
  fi
  printf '| %s | %s | %d s |\n' "$name" "$verdict" $((SECONDS - start)) >>"$report"
}

leave_out() { printf '| %s | left out: %s | |\n' "$1" "$2" >>"$report"; }

# The GPU tests; those for more GPUs than there are say so and are skipped.
gpu_tests() { (cd -- "$root" && limited ctest --preset cuda -L gpu); }

sanitized() {
  local tool=$1
  shift
  # torch's cache of freed memory would hide accesses behind the end of a tensor.
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 limited compute-sanitizer --tool "$tool" --error-exitcode 1 --target-processes all "$@"
}

# The corpus of every run below.
make_corpus() {
  if [ -n "${COTERIE_PAIRS:-}" ]; then
    "$COTERIE_BINARY" data build "data.root=$COTERIE_PAIRS" 'data.sources=["plain:."]' "data.corpus=$corpus"
  else
    "$COTERIE_BINARY" data synth data.synth.documents=1000 data.synth.words=150 "data.corpus=$corpus"
  fi
}

# train RANKS RUN DEVICE STEPS [key=value...]
train() {
  local ranks=$1 run=$2 device=$3 steps=$4
  shift 4
  limited "$root/launch/run.sh" "$ranks" train "$root/configs/train.toml" "data.corpus=$corpus" "runs=$out/runs" "run=$run" \
    "device=$device" "train.steps=$steps" train.eval_every=1000 train.save_every=4 optim.decay=constant \
    optim.warmup_steps=2 "$@"
}

losses() { sed -n 's/.*"loss": *\([-0-9.e+]*\).*/\1/p' "$out/runs/$1/metrics.jsonl"; }

# same_losses A B TOLERANCE: step by step, relative.
same_losses() {
  paste <(losses "$1") <(losses "$2") | awk -v bound="$3" '
    NF != 2 { print "step " NR ": one run has no loss"; bad = 1; next }
    { d = $1 - $2; if (d < 0) d = -d; if (d > bound * $1) { print "step " NR ": " $1 " and " $2; bad = 1 } }
    END { if (NR == 0) { print "no losses"; bad = 1 } exit bad }'
}

# A run that changes its device half-way is the run that never did.
resumes_across() {
  local first=$1 then=$2
  train 1 "whole-$first" "$first" 8 && train 1 "$first-$then" "$first" 4 && train 1 "$first-$then" "$then" 8 &&
    same_losses "whole-$first" "$first-$then" 1e-4
}

trains_in_half() {
  train 1 half cuda 20 model.precision=bf16 && train 1 single cuda 20 && same_losses single half 0.02
}

repeats() {
  train 1 once cuda 8 deterministic=true && train 1 twice cuda 8 deterministic=true && same_losses once twice 0 &&
    cmp "$out/runs/once/checkpoints/step-00000008/dense.safetensors" \
      "$out/runs/twice/checkpoints/step-00000008/dense.safetensors"
}

# Two ranks on however many GPUs there are.
trains_on_ranks() {
  train 2 ranks cuda 8 dist.share_gpu=true parallel=two_experts && train 1 alone cuda 8 && same_losses alone ranks 1e-4
}

# bench WHAT CHECKPOINT FILE [key=value...]
bench() {
  local what=$1 checkpoint=$2 file=$3
  shift 3
  limited "${bench_launcher[@]}" bench "$what" "$root/configs/train.toml" "data.corpus=$corpus" "model.checkpoint=$checkpoint" \
    device=cuda model.precision=bf16 data.batch_pairs=64 model.max_length=256 experts=none parallel=one \
    train.steps=30 "json=$out/$file.json" "$@"
}

peer() { limited "$PEER_PYTHON" "$peer_script" --loop plain --documents "$COTERIE_PAIRS/documents.jsonl" \
  --pairs "$COTERIE_PAIRS/pairs.jsonl" --precision bf16 --batch 64 --max-length 256 --steps 30 "$@"; }

# A BERT of the base size with random weights: for speed.
make_base() {
  "$PEER_PYTHON" -c '
import shutil, sys
from transformers import BertConfig, BertModel
BertModel(BertConfig(), add_pooling_layer=False).save_pretrained(sys.argv[2])
for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"):
    shutil.copy(sys.argv[1] + "/" + name, sys.argv[2])
' "$minilm" "$out/base"
}

minilm="$cache/models/all-MiniLM-L6-v2"
{
  printf '# GPU check, %s\n\n' "$(date -u +'%Y-%m-%d %H:%M UTC')"
  printf 'Commit %s\n\n```\n' "$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)"
  nvidia-smi -L 2>&1
  nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader 2>&1
  nvcc --version 2>&1 | tail -n 2
  printf '```\n\n| check | result | time |\n|---|---|---|\n'
} >"$report"
[ "$gpus" -gt 0 ] || say 'there is no GPU here: what needs one will fail or be skipped'

check build "$root/launch/bootstrap.sh" cuda coterie_cli coterie_gpu_tests
[ "$failures" -eq 0 ] || die 1 "the build failed (see $out/build.log): there is nothing to check"
check gpu_tests gpu_tests
skipped=$(grep -c '\*\*\*Skipped' "$out/gpu_tests.log" || true)
[ "$skipped" -eq 0 ] || leave_out "$skipped of the GPU tests" 'they skipped themselves (gpu_tests.log)'
[ "$gpus" -gt 1 ] || leave_out 'NCCL between ranks' 'there is one GPU'
if command -v compute-sanitizer >/dev/null; then
  check sanitizer_memory sanitized memcheck "$root/build/cuda/tests/kernels/kernels_gpu_test"
  check sanitizer_races sanitized racecheck "$root/build/cuda/tests/kernels/kernels_gpu_test" \
    '--gtest_filter=*attention_repeats*:*norm_equals*:*dropout_has*'
else
  leave_out sanitizer 'there is no compute-sanitizer'
fi
check corpus make_corpus
check half_precision trains_in_half
check repeats_bit_for_bit repeats
check resume_from_gpu_to_cpu resumes_across cuda cpu
check resume_from_cpu_to_gpu resumes_across cpu cuda
check two_ranks trains_on_ranks
for what in step attention layer dispatch; do check "bench_$what" bench "$what" "$minilm" "own_$what"; done
if [ "$gpus" -gt 1 ]; then
  bench_launcher=("$root/launch/run.sh" "$gpus")
  check bench_comm bench comm "$minilm" own_comm
  bench_launcher=("$COTERIE_BINARY")
else
  leave_out bench_comm 'there is one GPU'
fi
check bench_step_without_dropout bench step "$minilm" own_step_no_dropout model.hidden_dropout=none \
  model.attention_dropout=none
if [ -n "${PEER_PYTHON:-}" ] && [ -n "${COTERIE_PAIRS:-}" ] && [ -f "$peer_script" ]; then
  export MODEL=$minilm
  check peer_minilm peer
  check peer_minilm_without_dropout peer --drop0
  check base_weights make_base
  check bench_base bench step "$out/base" own_base model.hidden_dropout=none model.attention_dropout=none
  check peer_base peer --random base --drop0
else
  leave_out peer 'PEER_PYTHON, COTERIE_PAIRS or the script is missing'
fi

{
  printf '\n## Figures\n'
  for file in "$out"/own_*.json; do
    [ -f "$file" ] || continue
    printf '\n%s\n\n```\n' "$(basename -- "$file" .json)"
    cat -- "$file"
    printf '```\n'
  done
  for file in "$out"/peer_*.log; do
    [ -f "$file" ] || continue
    printf '\n%s\n\n```\n' "$(basename -- "$file" .log)"
    tail -n 1 -- "$file"
    printf '```\n'
  done
} >>"$report"
say "$failures failed; the report is $report"
[ "$failures" -eq 0 ]
