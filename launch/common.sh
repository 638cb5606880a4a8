# What the launch scripts share: where project and cache lie, what the machine has, how to speak. Sourced, not run.
# shellcheck shell=bash disable=SC2034

# Exit codes of the whole project that shell scripts need; README.md lists them all.
readonly EXIT_USAGE=64 EXIT_BAD_FILE=65 EXIT_IO=74

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cache=${COTERIE_CACHE:-${HOME:?}/.cache/coterie}

say() { printf '%s: %s\n' "$(basename -- "$0" .sh)" "$*" >&2; }

# die CODE TEXT...
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Prints the smaller of two integers.
least() { echo $(($1 < $2 ? $1 : $2)); }

# Physical cores this process may use: hyperthreads do not speed up matrix products, and a container's quota counts.
cores() {
  local allowed physical quota period
  allowed=$(nproc)
  physical=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l)
  if [ "$physical" -gt 0 ]; then allowed=$(least "$allowed" "$physical"); fi
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [ "$quota" != max ]; then
    allowed=$(least "$allowed" $(((quota + period - 1) / period)))
  fi
  echo "$allowed"
}

# Memory that is free to use, in MiB: the machine's, or less where a container's limit says so.
free_mib() {
  local free limit used
  free=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo) / 1024))
  if read -r limit 2>/dev/null </sys/fs/cgroup/memory.max && [ "$limit" != max ]; then
    read -r used </sys/fs/cgroup/memory.current
    free=$(least "$free" $(((limit - used) / 1048576)))
  fi
  echo "$free"
}

# Compile jobs that fit: a file that includes torch takes up to 2 GiB in the compiler.
build_jobs() {
  local by_memory
  by_memory=$(($(free_mib) / 2048))
  least "$(nproc)" $((by_memory > 1 ? by_memory : 1))
}
