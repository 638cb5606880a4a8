#!/usr/bin/env bash
# Checks everything that needs a GPU and writes one report: builds the preset cuda, runs the GPU tests and
# compute-sanitizer, repeats runs, resumes them across devices, and measures, beside sentence-transformers where it is.
#
#   launch/gpu_check.sh [OUT=gpu_check]
#
# OUT/report.md is whole after each check: what passed, failed, was left out or not run, and the figures; OUT/NAME.log
# has the output of a check. Exits 0 if none failed. Settings, all from the environment:
#   COTERIE_CHECKS  the checks to run, by their names in the report: all by default, and OUT starts anew; the results of
#                   some are added to what OUT has of the others
#   COTERIE_ROUNDS  how often each side of a comparison runs, in turn, 3 by default; medians are reported
#   COTERIE_PAIRS   folder with documents.jsonl and pairs.jsonl (format `plain`): measured instead of a made corpus
#   PEER_PYTHON     a Python with torch, transformers and sentence-transformers, for the comparison
#   PEER_SCRIPT     the peer's script, ../shared/peers/sentence_transformers_train.py by default
#   COTERIE_SHARED  where the tests find reference outputs, ../shared by default; without them some skip themselves
#   COTERIE_CHECK_LIMIT  seconds that one command of a check may take, 240 by default; the build has five times, the GPU
#                   tests have twice as many
#   and those of launch/bootstrap.sh: on a machine without network COTERIE_PACKAGES=0, COTERIE_TORCH, and a checkpoint
#   of MiniLM's shape as COTERIE_CACHE/models/all-MiniLM-L6-v2; CUDAARCHS=90 builds for one kind of GPU alone
set -uo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
[ $# -le 1 ] || die "$EXIT_USAGE" "at most one argument is taken, the folder of the report, got '$*'"

# Those that say most for their time come first.
readonly ALL=(build corpus gpu_tests minilm minilm_no_dropout base base_no_dropout trace half_precision
  resume_from_gpu_to_cpu resume_from_cpu_to_gpu repeats_bit_for_bit two_ranks parts comm sanitizer_races
  sanitizer_memory)

mkdir -p -- "${1:-gpu_check}" || die "$EXIT_IO" "cannot create the folder '${1:-gpu_check}'"
out=$(cd -- "${1:-gpu_check}" && pwd)
report="$out/report.md"
export COTERIE_BINARY="$root/build/cuda/coterie"
peer_script=${PEER_SCRIPT:-$root/../shared/peers/sentence_transformers_train.py}
corpus="$out/corpus.h5"
minilm="$cache/models/all-MiniLM-L6-v2"
rounds=${COTERIE_ROUNDS:-3}
limit=${COTERIE_CHECK_LIMIT:-240}
gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)
failures=0
note=
commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
read -r -a chosen <<<"${COTERIE_CHECKS:-${ALL[*]}}"
[ "${#chosen[@]}" -gt 0 ] || die "$EXIT_USAGE" "COTERIE_CHECKS must name some of: ${ALL[*]}; got none"
for name in "${chosen[@]}"; do
  [[ " ${ALL[*]} " == *" $name "* ]] || die "$EXIT_USAGE" "COTERIE_CHECKS must name some of: ${ALL[*]}; got '$name'"
done
[[ "$rounds" =~ ^[1-9][0-9]*$ ]] || die "$EXIT_USAGE" "COTERIE_ROUNDS must be a number above 0, got '$rounds'"
[[ "$limit" =~ ^[1-9][0-9]*$ ]] || die "$EXIT_USAGE" "COTERIE_CHECK_LIMIT must be a number above 0, got '$limit'"
# A folder of anything else is left alone.
[ -z "$(ls -A -- "$out")" ] || grep -qs '^# GPU check' "$report" ||
  die "$EXIT_USAGE" "the folder of the report must be empty or an earlier check's, got '$out'"

# Nothing hangs a check for ever.
limited() { timeout --kill-after=10 "$limit" "$@"; }

# number FILE KEY: of a JSON object with one key a line or all on one.
number() { sed -n "s/.*\"$2\": *\([-0-9.e+]*\).*/\1/p" "$1" | tail -n 1; }

# middle KEY FILE...: the median over the files.
middle() {
  local key=$1 file
  shift
  for file in "$@"; do number "$file" "$key"; done | sort -g |
    awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# compared NAME AIM: a line of the comparison, if the check has passed: medians over the rounds.
compared() {
  local name=$1 aim=$2 own peer
  grep -qsx passed "$out/$name.verdict" || return 0
  own=("$out/$name".own.*.json)
  peer=("$out/$name".peer.*.json)
  awk -v name="$name" -v aim="$aim" -v own="$(middle pairs_per_s "${own[@]}")" \
    -v gemm="$(middle share_of_gemm "${own[@]}")" -v memory="$(middle peak_gpu_mib_per_rank "${own[@]}")" \
    -v peer="$([ ! -f "${peer[0]}" ] || middle pairs_per_s "${peer[@]}")" \
    -v peer_memory="$([ ! -f "${peer[0]}" ] || middle peak_cuda_mib "${peer[@]}")" 'BEGIN {
      printf "| %s | %.0f | %s | %s | %s | %.2f | %.0f | %s | %s |\n", name, own, peer ? sprintf("%.0f", peer) : "",
        peer ? sprintf("%.2f", own / peer) : "", aim, gemm, memory, peer ? sprintf("%.0f", peer_memory) : "",
        peer ? sprintf("%.2f", memory / peer_memory) : "" }'
}

write_report() {
  local name verdict seconds at file
  {
    printf '# GPU check, %s\n\n```\n' "$(date -u +'%Y-%m-%d %H:%M UTC')"
    nvidia-smi -L 2>&1
    nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader 2>&1
    nvcc --version 2>&1 | tail -n 2
    printf '```\n\n| check | result | time | commit |\n|---|---|---|---|\n'
    for name in "${ALL[@]}"; do
      verdict='not run' seconds='' at=''
      [ ! -f "$out/$name.verdict" ] || { read -r seconds && read -r at && read -r verdict; } <"$out/$name.verdict"
      printf '| %s | %s | %s | %s |\n' "$name" "$verdict" "${seconds:+$seconds s}" "$at"
    done
    printf '\nSteps in bf16, 64 pairs of at most 256 tokens, medians over the rounds. We tokenise before the step, the '
    printf 'peer in it. Memory: of tensors, at most.\n\n| step | pairs/s | peer | ratio | aim | share of the GEMM '
    printf 'rate (aim .40 for base) | MiB | peer | ratio (aim .50) |\n|---|---|---|---|---|---|---|---|---|\n'
    compared minilm 2
    compared minilm_no_dropout 2
    compared base 1.5
    compared base_no_dropout 1.5
    for file in "$out"/*.json; do
      [ -f "$file" ] || continue
      printf '\n%s\n\n```\n' "$(basename -- "$file" .json)"
      cat -- "$file"
      printf '```\n'
    done
  } >"$report.new" && mv -- "$report.new" "$report"
}

# verdict NAME SECONDS TEXT
verdict() {
  printf '%s\n%s\n%s\n' "$2" "$commit" "$3" >"$out/$1.verdict"
  write_report
}

# check NAME COMMAND...: if it is chosen, runs it and keeps its output. A command that ends with 77 was left out: its
# last line says why. One that passes may leave a remark in `note`.
check() {
  local name=$1 start=$SECONDS code=0
  shift
  [[ " ${chosen[*]} " == *" $name "* ]] || return 0
  say "$name"
  note=
  rm -rf -- "$out/$name".*
  "$@" >"$out/$name.log" 2>&1 </dev/null || code=$?
  case $code in
    0) verdict "$name" $((SECONDS - start)) "passed$note" ;;
    77) verdict "$name" $((SECONDS - start)) "left out: $(tail -n 1 -- "$out/$name.log")" ;;
    *)
      failures=$((failures + 1))
      tail -n 5 -- "$out/$name.log" >&2
      verdict "$name" $((SECONDS - start)) FAILED
      ;;
  esac
}

leave_out() {
  echo "$*"
  return 77
}

build() {
  rm -rf -- "$out/runs"
  timeout --kill-after=10 $((5 * limit)) "$root/launch/bootstrap.sh" cuda coterie_cli coterie_gpu_tests
}

# The corpus of every run below.
make_corpus() {
  rm -rf -- "$corpus" "$out/runs"
  if [ -n "${COTERIE_PAIRS:-}" ]; then
    "$COTERIE_BINARY" data build "data.root=$COTERIE_PAIRS" 'data.sources=["plain:."]' "data.corpus=$corpus"
  else
    "$COTERIE_BINARY" data synth data.synth.documents=1000 data.synth.words=150 "data.corpus=$corpus"
  fi
}

# Tests for more GPUs than there are skip themselves, and so do those whose reference outputs are absent.
gpu_tests() {
  local said="$out/gpu_tests.txt" skipped tests
  (cd -- "$root" && timeout --kill-after=10 $((2 * limit)) ctest --preset cuda -L gpu --output-on-failure) >"$said"
  local code=$?
  cat -- "$said"
  [ "$code" -eq 0 ] || return "$code"
  tests=$(grep -c ' Test *#' "$said")
  skipped=$(grep -c '\*\*\*Skipped' "$said")
  [ "$skipped" -lt "$tests" ] || { leave_out "all $tests skipped themselves"; return; }
  [ "$skipped" -eq 0 ] || note=", but $skipped of $tests skipped themselves"
}

sanitized() {
  local tool=$1
  shift
  command -v compute-sanitizer >/dev/null || { leave_out 'there is no compute-sanitizer'; return; }
  # torch's cache of freed memory would hide accesses behind the end of a tensor.
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 limited compute-sanitizer --tool "$tool" --report-api-errors no --error-exitcode 1 \
    --target-processes all "$root/build/cuda/tests/kernels/kernels_gpu_test" "$@"
}

# train RANKS RUN DEVICE STEPS [key=value...]
train() {
  local ranks=$1 run=$2 device=$3 steps=$4
  shift 4
  limited "$root/launch/run.sh" "$ranks" train "$root/configs/train.toml" "data.corpus=$corpus" "runs=$out/runs" \
    "run=$run" "device=$device" "train.steps=$steps" train.eval_every=1000 train.save_every=1000 optim.decay=constant \
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

# The run that the others are compared with: 8 steps on one GPU.
whole() { [ -d "$out/runs/whole/checkpoints/step-00000008" ] || train 1 whole cuda 8; }

# A run that changes its device half-way is the run that never did.
resumes_across() {
  rm -rf -- "$out/runs/$1-$2"
  whole && train 1 "$1-$2" "$1" 4 && train 1 "$1-$2" "$2" 8 && same_losses whole "$1-$2" 1e-4
}

half_precision() {
  rm -rf -- "$out/runs/half"
  whole && train 1 half cuda 8 model.precision=bf16 && same_losses whole half 0.02
}

repeats() {
  local run file
  rm -rf -- "$out/runs/once" "$out/runs/twice"
  for run in once twice; do train 1 "$run" cuda 8 deterministic=true model.precision=bf16 || return; done
  same_losses once twice 0 || return
  for file in "$out"/runs/once/checkpoints/step-00000008/*.safetensors; do
    cmp "$file" "$out/runs/twice/checkpoints/step-00000008/$(basename -- "$file")" || return
  done
}

# Two ranks on however many GPUs there are.
two_ranks() {
  rm -rf -- "$out/runs/ranks"
  whole && train 2 ranks cuda 8 dist.share_gpu=true parallel=two_experts && same_losses whole ranks 1e-4
}

# bench WHAT CHECKPOINT FILE [key=value...]: the whole batch in one pass, as the peer takes it.
bench() {
  local what=$1 checkpoint=$2 file=$3
  shift 3
  limited "${launcher[@]}" bench "$what" "$root/configs/train.toml" "data.corpus=$corpus" device=cuda \
    "model.checkpoint=$checkpoint" model.precision=bf16 data.batch_pairs=64 model.max_length=256 experts=none \
    parallel=one train.micro_batch_tokens=0 train.steps=30 "json=$out/$file.json" "$@"
}
launcher=("$COTERIE_BINARY")

# peer FILE [OPTION...]
peer() {
  local file=$1
  shift
  HF_HUB_OFFLINE=1 MODEL=$minilm limited "$PEER_PYTHON" "$peer_script" --loop plain --precision bf16 --batch 64 \
    --max-length 256 --steps 30 --documents "$COTERIE_PAIRS/documents.jsonl" --pairs "$COTERIE_PAIRS/pairs.jsonl" "$@" \
    >"$out/$file.txt"
  local code=$?
  cat -- "$out/$file.txt"
  grep '^{' "$out/$file.txt" | tail -n 1 >"$out/$file.json"
  return "$code"
}

have_peer() { [ -n "${PEER_PYTHON:-}" ] && [ -n "${COTERIE_PAIRS:-}" ] && [ -f "$peer_script" ]; }

# beside NAME CHECKPOINT 'OUR KEYS' 'THE PEER'S OPTIONS': both in turn.
beside() {
  local name=$1 checkpoint=$2 round
  local -a keys options
  read -r -a keys <<<"$3"
  read -r -a options <<<"$4"
  for ((round = 1; round <= rounds; ++round)); do
    bench step "$checkpoint" "$name.own.$round" "${keys[@]}" || return
    ! have_peer || peer "$name.peer.$round" "${options[@]}" || return
  done
}

# A BERT of the base size with random weights: for speed.
make_base() {
  [ ! -f "$out/base/config.json" ] || return 0
  [ -n "${PEER_PYTHON:-}" ] || { leave_out 'PEER_PYTHON is not set, which makes the weights'; return; }
  rm -rf -- "$out/base.new"
  HF_HUB_OFFLINE=1 "$PEER_PYTHON" -c '
import shutil, sys
from transformers import BertConfig, BertModel
BertModel(BertConfig(), add_pooling_layer=False).save_pretrained(sys.argv[2])
for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"):
    shutil.copy(sys.argv[1] + "/" + name, sys.argv[2])
' "$minilm" "$out/base.new" && mv -- "$out/base.new" "$out/base"
}

readonly NO_DROPOUT='model.hidden_dropout=none model.attention_dropout=none'
base() { make_base && beside base "$out/base" '' '--random base'; }
base_no_dropout() { make_base && beside base_no_dropout "$out/base" "$NO_DROPOUT" '--random base --drop0'; }
trace() { make_base && bench step "$out/base" trace "trace=$out/trace.perfetto"; }

parts() {
  local what
  for what in attention layer dispatch; do bench "$what" "$minilm" "parts.$what" || return; done
}

comm() {
  [ "$gpus" -gt 1 ] || { leave_out 'there is one GPU: NCCL between ranks is not used'; return; }
  local -a launcher=("$root/launch/run.sh" "$gpus")
  bench comm "$minilm" comm
}

[ "$gpus" -gt 0 ] || say 'there is no GPU here: what needs one will fail or be skipped'
[ -n "${COTERIE_CHECKS:-}" ] ||
  rm -rf -- "$out/runs" "$out/base" "$out"/*.verdict "$out"/*.json "$out"/*.txt "$out"/*.log "$out"/*.perfetto
write_report
check build build
[ "$failures" -eq 0 ] || die 1 "the build failed (see $out/build.log): there is nothing to check"
[ -x "$COTERIE_BINARY" ] || die 1 "there is no $COTERIE_BINARY to check"
check corpus make_corpus
check gpu_tests gpu_tests
check minilm beside minilm "$minilm" '' ''
check minilm_no_dropout beside minilm_no_dropout "$minilm" "$NO_DROPOUT" '--drop0'
check base base
check base_no_dropout base_no_dropout
check trace trace
check half_precision half_precision
check resume_from_gpu_to_cpu resumes_across cuda cpu
check resume_from_cpu_to_gpu resumes_across cpu cuda
check repeats_bit_for_bit repeats
check two_ranks two_ranks
check parts parts
check comm comm
check sanitizer_races sanitized racecheck \
  '--gtest_filter=*attention_equals*:*own_attention*:*bias_and_gelu*:*norm_equals*:*dropout_has*'
check sanitizer_memory sanitized memcheck
say "$failures failed; the report is $report"
[ "$failures" -eq 0 ]
