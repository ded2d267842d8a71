#!/usr/bin/env bash
# Lints and runs the tests. `--all` as the first argument adds slow tests and more random examples; all other arguments
# go to pytest.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

prepare_environment requirements.txt requirements-dev.txt
cd -- "$root"

speed="and not slow" profile=few
if [[ "${1:-}" == --all ]]; then
    shift
    speed="" profile=many
fi

# Modules, not the commands of the same name: those stop working when the checkout is moved.
python -m ruff check .
python -m ruff format --check .
python -c "from importlinter.cli import lint_imports_command as lint; lint()" --no-cache --no-logo

run_pytest() {
    python -m pytest --durations=15 --hypothesis-profile="$profile" "$@"
}

# One process per core, with one thread each. The tests of a file stay in one process, which makes their fixtures once.
# pytest ends with 5 if it finds no tests, which is no failure of one of the two runs if the other finds some.
none=5 code=0
OMP_NUM_THREADS=1 run_pytest -n logical --maxprocesses=8 --dist=loadfile --no-loadscope-reorder \
    -m "not serial $speed" "$@" || code=$?
((code == 0 || code == none)) || exit "$code"
run_pytest -m "serial $speed" "$@" || (($? == none && code != none))
