#!/usr/bin/env bash
# dask 2026.8.0 with distributed 2026.8.0: a Delayed call keeps persisted results alive if
# they are its arguments, but not if they are in a list that is its argument.
#
# `client.persist` returns objects whose futures keep their results on the cluster. A call
# that takes such objects one by one holds the futures, so that the caller may drop its own
# references. A call that takes them in a list, the usual way to add up many results, does
# not hold them: the cluster forgets the results, and also how they were computed.
#
# Seen: arguments: 3
#   list: FutureCancelledError: lost dependencies
#   list, references kept: 3
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "dask==2026.8.0" "distributed==2026.8.0"
cd "$work"
cat >seen.py <<'PY'
import logging
from operator import add

import dask
from distributed import Client
from distributed.client import FutureCancelledError


def outcome(client, call, kept):
    parts = client.persist([dask.delayed(int, pure=False)(i) for i in (1, 2)])
    total = call(parts)
    if not kept:
        parts.clear()
    try:
        return str(client.compute(total).result())
    except FutureCancelledError as error:
        return f"FutureCancelledError: {error.reason}"


def of_arguments(parts):
    return dask.delayed(add, pure=False)(*parts)


def of_list(parts):
    return dask.delayed(sum, pure=False)(parts)


if __name__ == "__main__":
    logging.disable()
    with Client(n_workers=1, processes=False, dashboard_address=None) as client:
        seen = [
            outcome(client, of_arguments, kept=False),
            outcome(client, of_list, kept=False),
            outcome(client, of_list, kept=True),
        ]
    print("dask", dask.__version__)
    print(f"arguments: {seen[0]}")
    print(f"list: {seen[1]}")
    print(f"list, references kept: {seen[2]}")
    assert seen == ["3", "FutureCancelledError: lost dependencies", "3"]
PY
"$work/env/bin/python" seen.py
