#!/usr/bin/env bash
# An example of a Slurm job on two machines of eight GPUs: sbatch scripts/slurm.sh CONFIG [OPTIONS OF train.py]
# It saves before its time limit and queues itself again as long as it makes progress; the same command resumes.
#SBATCH --job-name=gpnerf
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

# progress CONFIG [OPTIONS]: prints the step of the newest checkpoint and the number of steps to train.
progress() {
    python - "$@" <<'PYTHON'
import sys
from pathlib import Path

from gpnerf.training.checkpoint import latest_checkpoint
from gpnerf.commands.options import parse_options

options = parse_options("", ["--config", *sys.argv[1:]])
newest = latest_checkpoint(Path(options.out) / options.expname)
print(newest.step if newest else 0, options.steps)
PYTHON
}

source .venv/bin/activate
read -r before _ < <(progress "$@")
first="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
# torchrun ends with code 1 whatever code train.py ended with, so the progress decides instead.
srun --kill-on-bad-exit=1 torchrun --nnodes "$SLURM_NNODES" --nproc_per_node 8 \
    --rdzv_id "$SLURM_JOB_ID" --rdzv_backend c10d --rdzv_endpoint "$first:29500" \
    train.py --max_hours 23.5 --config "$@" || true
read -r after steps < <(progress "$@")
if ((after < steps && after > before)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
((after == steps))
