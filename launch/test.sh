#!/usr/bin/env bash
# Sets up, builds and runs every test, then the unit tests that need no torch once more under the sanitizers; where
# nvcc 13 is, then the program with CUDA: its GPU tests, which are skipped without a GPU, and its runs on the CPU.
#
#   launch/test.sh
#
# Ends with one line "N passed, N failed, N skipped" that counts CTest's tests of all passes; exits 0 if none failed.
# Settings, all from the environment:
#   COTERIE_TEST_ASAN=0   leaves the sanitizer pass out
#   COTERIE_TEST_CUDA=0   leaves the pass with CUDA out, which fetches 3 GB more
#   COTERIE_PACKAGES=0    does not install Slurm either, for the one test that needs it
#   and those of launch/bootstrap.sh
set -euo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
[ $# -eq 0 ] || die "$EXIT_USAGE" "no arguments are taken, got '$*'; to choose tests: ctest --preset release -R NAME"

passed=0 failed=0 skipped=0 status=0

# count FILE: adds the numbers of a JUnit report of CTest. There a test that could not be started is "not run" like one
# that skipped itself; it is a failure.
count() {
  local tests ran excused disabled
  tests=$(grep -c '<testcase ' "$1" || true)
  ran=$(grep -c '<testcase .* status="run"' "$1" || true)
  disabled=$(grep -c '<testcase .* status="disabled"' "$1" || true)
  excused=$(grep -c '<skipped message="SKIP_' "$1" || true)
  passed=$((passed + ran))
  skipped=$((skipped + excused + disabled))
  failed=$((failed + tests - ran - excused - disabled))
}

# run_tests PRESET [OPTION...]
run_tests() {
  local preset=$1 code=0 report="$root/build/$1/tests.xml"
  shift
  rm -f -- "$report"
  (cd -- "$root" && ctest --preset "$preset" --output-junit "$report" "$@") </dev/null || code=$?
  [ -s "$report" ] || die "$EXIT_IO" "ctest --preset $preset left no report, exit code $code"
  count "$report"
  if [ "$code" -ne 0 ]; then status=$code; fi
}

have_nvcc() { [[ $("${CUDACXX:-nvcc}" --version 2>/dev/null) == *'release 13.'* ]]; }

# A LibTorch of one's own may be one without CUDA.
has_cuda_torch() { [ -z "${COTERIE_TORCH:-}" ] || [ -f "$COTERIE_TORCH/lib/libtorch_cuda.so" ]; }

# Slurm, for the test that runs a sweep on it. Nothing else needs it: where it cannot be had, that test is skipped.
install_slurm() {
  if [ "${COTERIE_PACKAGES:-1}" = 0 ] || ! is_root || command -v slurmctld >/dev/null; then return 0; fi
  command -v apt-get >/dev/null || return 0
  say 'installing Debian packages: slurm-wlm munge'
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends slurm-wlm \
    munge </dev/null >/dev/null 2>&1 || say 'Slurm cannot be installed; its test will be skipped'
}

"$root/launch/bootstrap.sh" release
install_slurm
run_tests release

if [ "${COTERIE_TEST_ASAN:-1}" != 0 ]; then
  "$root/launch/bootstrap.sh" asan coterie_unit_tests
  run_tests asan -R "$(cat "$root/build/asan/unit_tests.regex")"
fi

if [ "${COTERIE_TEST_CUDA:-1}" != 0 ] && have_nvcc && has_cuda_torch; then
  "$root/launch/bootstrap.sh" cuda coterie_cli coterie_gpu_tests cli_run_test
  run_tests cuda -R '^cli_run_test$|_gpu_test'
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
exit "$status"
