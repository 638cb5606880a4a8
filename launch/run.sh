#!/usr/bin/env bash
# Runs a coterie command on N ranks, with threads and binding that suit LibTorch.
#
#   launch/run.sh N COMMAND [ARGUMENT...]        launch/run.sh 2 train configs/train.toml optim.lr=1e-4
#
# Exits with the program's own code. Signals sent to this process reach mpirun, which passes SIGUSR1 on to every rank.
# Settings, all from the environment:
#   COTERIE_BINARY    the program, build/release/coterie by default
#   OMP_NUM_THREADS   threads of each rank; by default the machine's cores divided by its ranks
# In a container that forbids process_vm_readv, also set OMPI_MCA_btl_vader_single_copy_mechanism=none.
set -euo pipefail
# shellcheck source=launch/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

readonly USAGE='usage: run.sh N COMMAND [ARGUMENT...]'
[ $# -ge 2 ] || die "$EXIT_USAGE" "N and COMMAND are needed, got $# arguments ($USAGE)"
ranks=$1
shift
[[ "$ranks" =~ ^[1-9][0-9]{0,5}$ ]] || die "$EXIT_USAGE" "N must be a number of ranks from 1, got '$ranks' ($USAGE)"

program=${COTERIE_BINARY:-$root/build/release/coterie}
[ -x "$program" ] || die "$EXIT_USAGE" "no program at $program; launch/bootstrap.sh builds it"
command -v mpirun >/dev/null || die "$EXIT_USAGE" "no mpirun in the PATH; launch/bootstrap.sh installs it"

# Ranks of one machine share its cores; in a Slurm job they are spread over its nodes.
nodes=${SLURM_JOB_NUM_NODES:-1}
local_ranks=$(((ranks + nodes - 1) / nodes))
cores=$(cores)
if [ -z "${OMP_NUM_THREADS:-}" ]; then
  OMP_NUM_THREADS=$((cores > local_ranks ? cores / local_ranks : 1))
fi
export OMP_NUM_THREADS

# Bound as Open MPI does by default, all threads of a rank would share one core.
options=(-n "$ranks" --bind-to none -x OMP_NUM_THREADS)
if [ "$local_ranks" -gt "$cores" ]; then options+=(--oversubscribe); fi
if is_root; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

exec mpirun "${options[@]}" "$program" "$@"
