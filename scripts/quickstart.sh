#!/usr/bin/env bash
# From a fresh clone to results: installs, trains on the embedded rooms, evaluates rooms that training never saw, and
# renders a video of one. Arguments go to train.py. Run it again to resume where it stopped.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

# On Ctrl-C, train.py saves and exits without an error; without this trap, evaluation would follow.
trap 'exit 130' INT

stage() {
    printf '[%2d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

stage "Preparing the environment"
prepare_environment requirements.txt
cd -- "$root"

stage "Training on the embedded rooms (they are made on first use)"
python train.py --config configs/rooms.txt "$@"
stage "Scoring rooms that training never saw"
python eval.py --config configs/rooms.txt
stage "Rendering a video"
python render.py --config configs/rooms.txt

stage "Done in $(((SECONDS + 30) / 60)) min. Where to look, in $root:"
cat <<'END'
  out/rooms/eval/report.html     tables, IoU per class, and every view with a slider: open it in a browser
  out/rooms/eval/table.md        ours beside two baselines; metrics.json has the same figures
  out/rooms/render/*.mp4         colour, depth, labels and features along a camera path
  .venv/bin/python -m tensorboard.main --logdir out/rooms        the curves of the training
END
