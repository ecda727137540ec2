"""Asks Total Perspective Vortex where jobs go.

The arguments are grids: JSON files that name rule files beside them, tools, users and jobs (see
internal/destination/testdata/tpv). For each grid the decisions about every job of every user with every tool, in that
order, are written beside it into a file named after it in the folder that the first argument names.
"""

import itertools
import json
import logging
import os
import sys

logging.disable(logging.CRITICAL)

from galaxy.jobs.mapper import JobMappingException, JobNotReadyException  # noqa: E402
from galaxy.tool_util.deps.requirements import ResourceRequirement  # noqa: E402
from tpv.commands.test import mock_galaxy  # noqa: E402
from tpv.rules import gateway  # noqa: E402


def text(value):
    """A parameter as text, as the server keeps it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def request(case):
    t = case.get("tool") or {}
    dynamic = mock_galaxy.DynamicTool(t["uuid"]) if t.get("uuid") else None
    requirements = [ResourceRequirement(v, k) for k, v in (t.get("resources") or {}).items()]
    tool = mock_galaxy.Tool(t.get("id"), t.get("version"), requirements, dynamic, t.get("type") or "default")
    user = None
    if case.get("user"):
        u = case["user"]
        user = mock_galaxy.User(u.get("username", ""), u["email"], u.get("roles"), id=u.get("id", 1))
    job = mock_galaxy.Job(case.get("job", 1))
    job.history = mock_galaxy.History(tags=case.get("history_tags"))
    job.param_values = case.get("params") or {}
    previous = case.get("previous")
    job.destination_params = (previous or {}).get("params") or {}
    for i in case.get("inputs") or []:
        dataset = mock_galaxy.Dataset(i["name"], i["size"])
        dataset.id = i["id"]
        job.add_input_dataset(mock_galaxy.DatasetAssociation(i["name"], dataset, i.get("ext", "txt")), i["name"])
    return tool, user, job


def decide(mapper, case):
    tool, user, job = request(case)
    try:
        d = mapper.map_to_destination(None, tool, user, job, None, case.get("resources") or {}, None)
    except JobMappingException as e:
        # What follows the colon of “This entity is abstract …” holds addresses in memory.
        return {"refused": str(e.failure_message).split(" : ")[0]}
    except JobNotReadyException:
        return {"wait": True}
    except Exception as e:  # noqa: BLE001
        return {"error": type(e).__name__}
    return {
        "id": d.id,
        "runner": d.runner,
        "params": {str(k): text(v) for k, v in d.params.items() if v is not None},
        "env": [{k: str(v) for k, v in e.items()} for e in d.env],
        "tags": list(d.tags or []),
        "resubmit": [{k: str(v) for k, v in r.items() if v is not None} for r in d.resubmit],
    }


def cases(grid):
    for tool, user, job in itertools.product(grid["tools"], grid["users"], grid["jobs"]):
        yield dict(job, tool=tool, user=user)


def main():
    for path in sys.argv[2:]:
        with open(path) as f:
            grid = json.load(f)
        folder = os.path.dirname(path)
        mapper = gateway.load_destination_mapper([os.path.join(folder, name) for name in grid["files"]])
        decisions = [decide(mapper, case) for case in cases(grid)]
        name = os.path.basename(path).replace(".json", ".decisions.json")
        with open(os.path.join(sys.argv[1], name), "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(d, sort_keys=True, ensure_ascii=False) for d in decisions) + "\n]\n")


main()
