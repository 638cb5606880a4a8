#!/usr/bin/env bash
# From nothing to a trained and evaluated mixture of experts: sets up, builds the corpus, trains on two ranks,
# compares, reports.
#
#   launch/quickstart.sh [CONFIG=configs/quickstart.toml] [key=value...]
#
# CONFIG may be relative to the current folder or to the project's; every other path of a config is relative to the
# project's folder, where the commands run. Repeating the line continues the run, or evaluates it again when it is done.
# Settings, all from the environment:
#   COTERIE_RANKS   ranks to train on, 2 by default
#   and those of launch/bootstrap.sh
set -euo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

config=configs/quickstart.toml
if [ $# -gt 0 ] && [[ "$1" != *=* ]]; then
  config=$1
  shift
fi
for argument in "$@"; do
  [[ "$argument" == *=* ]] ||
    die "$EXIT_USAGE" "overrides are key=value, got '$argument' (usage: quickstart.sh [CONFIG] [key=value...])"
done
if [ -f "$config" ]; then
  config=$(realpath --relative-base="$root" -- "$config")
elif [ -f "$root/$config" ]; then
  : # the commands run there
else
  die "$EXIT_USAGE" "CONFIG: no file '$config' here or in $root"
fi

"$root/launch/bootstrap.sh" release coterie_cli
cd -- "$root"
program=build/release/coterie

# The run's folder is the resolved config's answer, not a guess from the arguments.
resolved=$("$program" train "$config" "$@" --print-config)
run=$(sed -n 's/^run = "\([^"]*\)".*/\1/p' <<<"$resolved")
runs=$(sed -n 's/^runs = "\([^"]*\)".*/\1/p' <<<"$resolved")
if [ -z "$run" ] || [ -z "$runs" ]; then
  die "$EXIT_USAGE" "$config: no keys run and runs in what --print-config shows"
fi

say "corpus"
"$program" data build "$config" "$@"
say "training $runs/$run"
launch/run.sh "${COTERIE_RANKS:-2}" train "$config" "$@"
say "evaluation of the untouched and of the trained model"
launch/run.sh 1 eval "$runs/$run" "$config" "$@"
say "report"
"$program" report "$runs/$run"
