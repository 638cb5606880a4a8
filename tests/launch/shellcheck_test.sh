#!/usr/bin/env bash
# Every shell script parses, and shellcheck has nothing to say about it; skipped without shellcheck.
set -euo pipefail
cd -- "${COTERIE_SOURCE_DIR:?}"
scripts=(launch/*.sh launch/slurm/*.sbatch .ci/run tests/launch/*.sh)
for script in "${scripts[@]}"; do bash -n "$script"; done
if ! command -v shellcheck >/dev/null; then
  echo "skipped: no shellcheck in the PATH"
  exit 77
fi
shellcheck -x "${scripts[@]}"
