#!/bin/sh
# Runs main.py in a virtual environment, which is made the first time.
set -e
cd "$(dirname "$0")"
venv=${VENV:-.venv}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --requirement requirements.txt
fi
OPENAI_BASE_URL=${OPENAI_BASE_URL:-http://127.0.0.1:5050/v1} exec "$venv/bin/python" main.py
