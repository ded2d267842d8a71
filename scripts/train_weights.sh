#!/usr/bin/env bash
# Trains the model that we ship, on one thread and at low priority:
#   bash scripts/train_weights.sh FOLDER [options of train.py]
# The run lies in FOLDER, outside the checkout. A run that is there goes on; otherwise the training starts from the last
# shipped weights, if there are any, keeps their sizes and takes a third of the learning rates; --load_weights "" and the
# rates of the config start anew in its sizes.
# Afterwards:
#   python eval.py --config configs/rooms.txt --out FOLDER --expname rooms_weights
#   python scripts/export_weights.py FOLDER/rooms_weights --name rooms --overwrite --core_hours ALL_SO_FAR
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

[[ $# -gt 0 && "$1" != -* ]] || fail "Expected the folder of the runs, found ${1:-nothing}: bash scripts/train_weights.sh FOLDER"
mkdir -p -- "$1"
folder="$(cd -- "$1" && pwd -P)"
shift

prepare_environment requirements.txt
cd -- "$root"

start=()
[[ ! -f weights/rooms/config.json ]] ||
    start=(--load_weights rooms --lr_extractor 1e-3 --lr_transformer 2e-3 --lr_head 1e-3)
export OMP_NUM_THREADS=1
exec nice -n 19 python train.py --config configs/rooms_weights.txt --out "$folder" --data_root "$folder/rooms" \
    ${start[@]+"${start[@]}"} "$@"
