#!/usr/bin/env bash
# From a fresh clone to results: installs, and shows what the shipped model makes of scenes that it never saw, before
# and after finetuning. Run it again to resume where it stopped.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'END'
bash scripts/quickstart.sh [OPTIONS]                  four rooms that the shipped model never saw: 2 to 5 min on two cores
bash scripts/quickstart.sh SCENE_FOLDER [OPTIONS]     your photographs, with their poses in transforms.json: 3 to 6 min
bash scripts/quickstart.sh PHOTOS [OPTIONS]           a folder of photographs without poses, or a video: finds the poses first
bash scripts/quickstart.sh --from-scratch [OPTIONS]   trains a model on 24 rooms first: 5 to 30 min

OPTIONS go to train.py, eval.py and render.py, such as --steps 60 or --depth_range 0.5,6. Installation comes first.
END
}

# On Ctrl-C, train.py saves and exits without an error; without this trap, evaluation would follow.
trap 'exit 130' INT

stage() {
    printf '[%2d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

# read_arguments ARGUMENT...: sets `from_scratch`, `scene` ("" for the rooms) and `options`; `photographs` is "".
read_arguments() {
    local argument
    from_scratch="" scene="" photographs="" options=()
    if [[ -n "${1:-}" && "$1" != -* ]]; then
        scene="$1"
        shift
    fi
    for argument in "$@"; do
        case "$argument" in
            -h | --help) usage && exit ;;
            --from-scratch) from_scratch=yes ;;
            --expname* | --out | --out=*) fail "$argument is not an option of the quickstart, which chooses its folders: leave it out, or run train.py, eval.py and render.py yourself." ;;
            *) options+=("$argument") ;;
        esac
    done
    [[ -z "$scene" || -z "$from_scratch" ]] || fail "Expected SCENE_FOLDER or --from-scratch, found both: --from-scratch trains on the embedded rooms; leave one out."
}

# check_scene: makes `scene` absolute. Without poses it becomes `photographs`, and `scene` the folder for their poses.
check_scene() {
    local name
    [[ -e "$scene" ]] || fail "$scene: expected the folder of a scene or of photographs, or a video, found no such file: correct the path."
    scene="$(cd -- "$(dirname -- "$scene")" && pwd -P)/$(basename -- "$scene")"
    if [[ -d "$scene" ]]; then
        scene="$(cd -- "$scene" && pwd -P)"
        if (cd -- "$scene" && compgen -G 'transforms*.json' >/dev/null); then return; fi
        (cd -- "$scene" && ! compgen -G '*/transforms*.json' >/dev/null) ||
            fail "$scene: expected the folder of one scene, found a folder of scenes: name one of the folders in it."
        has_photographs || fail "$scene: expected photographs (.jpg, .jpeg, .png), found none in it: name the folder that holds them, or save them as JPEG."
    fi
    name="$(basename -- "$scene")"
    photographs="$scene"
    if [[ -f "$scene" ]]; then name="${name%.*}"; fi
    scene="$root/out/quickstart/poses/$name"
}

# has_photographs: whether some lie in the folder `scene` itself.
has_photographs() (
    shopt -s nocaseglob
    cd -- "$scene" && { compgen -G '*.jpg' || compgen -G '*.jpeg' || compgen -G '*.png'; } >/dev/null
)

find_poses() {
    stage "Finding the poses of the photographs (1 to 30 min)"
    python scripts/find_poses.py "$photographs" "$scene"
}

check_weights() {
    [[ -f "$root/weights/rooms/config.json" ]] || fail "$root/weights/rooms: expected the shipped model, found none: restore the folder from the repository, or train a model with 'bash scripts/quickstart.sh --from-scratch'."
}

train_from_scratch() {
    local given=(--config configs/rooms.txt ${options[@]+"${options[@]}"})
    stage "Training on the embedded rooms, which are made on first use (4 to 25 min)"
    python train.py "${given[@]}"
    stage "Scoring rooms that training never saw (1 min)"
    python eval.py "${given[@]}"
    stage "Rendering a video (2 min)"
    python render.py "${given[@]}"
    finished
    cat <<'END'
  out/rooms/eval/report.html     tables, IoU per class, and every view with a slider: open it in a browser
  out/rooms/eval/table.md        ours beside two baselines; metrics.json has the same figures
  out/rooms/render/*.mp4         colour, depth, labels and features along a camera path
  .venv/bin/python -m tensorboard.main --logdir out/rooms        the curves of the training
END
}

# show_shipped_model: of the rooms, or of `scene`.
show_shipped_model() {
    local run=quickstart/rooms unseen=(--config configs/rooms.txt) finetuned=(--config configs/rooms_quickstart.txt)
    local compared=(--scores psnr,ssim,depth_abs_rel,miou) what="four rooms" one="one of the rooms" film="room_1000" next
    next="bash scripts/quickstart.sh SCENE_FOLDER     the same for your photographs"
    if [[ -n "$scene" ]]; then
        film="$(basename -- "$scene")"
        run="quickstart/scenes/$film"
        unseen=(--config configs/transforms_quickstart.txt --data_root "$scene")
        finetuned=("${unseen[@]}")
        what="$film" one="$film"
        next=".venv/bin/python train.py --config configs/transforms.txt --data_root $(printf %q "$scene") --train_scenes . --test_scenes . --load_weights rooms     finetunes six times as long"
    else
        compared+=(--scenes "$film")
    fi
    unseen+=(--expname "$run/shipped" ${options[@]+"${options[@]}"})
    finetuned+=(--expname "$run/finetuned" ${options[@]+"${options[@]}"})

    stage "Scoring the shipped model on $what, which it never saw (1 min)"
    python eval.py "${unseen[@]}" --checkpoint rooms
    stage "Finetuning it on $one, without the test views (1 to 3 min)"
    python train.py "${finetuned[@]}"
    stage "Scoring the finetuned model on $one (1 min)"
    python eval.py "${finetuned[@]}"
    stage "Rendering a video (2 min)"
    python render.py "${finetuned[@]}"
    stage "Before and after finetuning:"
    (cd -- "out/$run" && python "$root/scripts/compare_runs.py" shipped finetuned "${compared[@]}")
    finished
    cat <<END
  out/$run/shipped/eval/report.html       the shipped model: tables, and every view with a slider
  out/$run/finetuned/eval/report.html     the same after finetuning; table.md and metrics.json have the figures
  out/$run/finetuned/render/${film}_interpolate.mp4     everything that the model renders, along a camera path
What comes next:
  $next
  bash scripts/quickstart.sh --from-scratch     trains a model of your own on the rooms
END
}

finished() {
    stage "Done in $(((SECONDS + 30) / 60)) min. Where to look, in $root:"
}

read_arguments "$@"
if [[ -n "$scene" ]]; then check_scene; fi
if [[ -z "$from_scratch" ]]; then check_weights; fi
stage "Preparing the environment"
requirements=(requirements.txt)
if [[ -n "$photographs" ]]; then requirements+=(requirements-poses.txt); fi
prepare_environment "${requirements[@]}"
cd -- "$root"
if [[ -n "$photographs" ]]; then find_poses; fi
if [[ -n "$from_scratch" ]]; then
    train_from_scratch
else
    show_shipped_model
fi
