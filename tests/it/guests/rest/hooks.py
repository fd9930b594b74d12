# SPDX-License-Identifier: Apache-2.0
"""What schemathesis is told of the server in the test `anything` of tests/it/rest.rs.

Paths made at random would only ever meet what is not there: components, workers and functions are mapped to some that are, half
of the time. Failures of the kind 5xx must be some that are meant; schemathesis knows statuses only.
"""

import os

import schemathesis

COMPONENT = os.environ["GOLEM_COMPONENT"]
WORKERS = ["one", "two", "three"]

# What a caller can bring about: a name that is taken, traps, deadlines, too much at once. Nothing of it says that the server failed.
MEANT = {
    "WRK-002",
    "WRK-006",
    "WRK-007",
    "WRK-008",
    "WRK-009",
    "WRK-012",
    "WRK-016",
    "API-021",
    "API-051",
    "API-052",
}


def is_odd(text):
    return sum(str(text).encode("utf-8", "replace")) % 2 == 1


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters:
        if not is_odd(path_parameters.get("component", "")) and "component" in path_parameters:
            path_parameters["component"] = COMPONENT
        if not is_odd(path_parameters.get("worker", "")) and "worker" in path_parameters:
            path_parameters["worker"] = WORKERS[len(str(path_parameters["worker"])) % len(WORKERS)]
    return path_parameters


@schemathesis.hook
def map_case(context, case):
    """Half of the invocations are of a function that is there, with arguments that fit: one that adds, one that traps."""
    query = case.query
    if query and "function" in query and not is_odd(query["function"]):
        traps = len(str(query["function"])) % 4 == 0
        query["function"] = "boom" if traps else "add"
        case.body = {"params": [] if traps else [{"value": 20}, {"value": 22}]}
        case.media_type = "application/json"
        # What a random text says of moments and keys is tried by the others.
        for name in ("timeout", "at"):
            query.pop(name, None)
        if "/schedule" in case.path:
            query["in"] = "1h"
    return case


@schemathesis.check
def failures_are_meant(context, response, case):
    if response.status_code >= 500:
        code = response.json().get("code")
        assert code in MEANT, f"{response.status_code} {code}: {response.text[:500]}"


@schemathesis.check
def failures_have_codes(context, response, case):
    if response.status_code >= 400 and "/http" not in case.path:
        body = response.json()
        assert body.get("code") and body.get("message"), response.text[:500]
