#!/usr/bin/env bash
# Lints and runs all tests; arguments go to pytest.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

prepare_environment requirements.txt requirements-dev.txt
cd -- "$root"

# Modules, not the commands of the same name: those stop working when the checkout is moved.
python -m ruff check .
python -m ruff format --check .
python -m pytest "$@"
