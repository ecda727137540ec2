"""Asks Galaxy's dynamic tool destinations where jobs go.

The arguments are a folder and grids: JSON files that name a tool_destinations.yml beside them, tools, users and jobs
(see internal/destination/testdata/dtd). For each grid the decisions about every job of every user with every tool, in
that order, are written into the folder.
"""

import itertools
import json
import os
import sys
import tempfile
from types import SimpleNamespace

from galaxy.jobs.dynamic_tool_destination import map_tool_to_destination
from galaxy.jobs.mapper import JobMappingException


def inputs(job, folder):
    for i, each in enumerate(job.get("inputs") or []):
        path = os.path.join(folder, str(i))
        with open(path, "wb") as f:
            f.truncate(each["size"])
        metadata = {"sequences": each["sequences"]} if "sequences" in each else {}
        dataset = SimpleNamespace(get_file_name=lambda path=path: path, ext=each["ext"], metadata=metadata)
        yield SimpleNamespace(name=each["name"], dataset=dataset)


def decide(path, tool, user, job):
    parameters = []
    for name, key in (("__workflow_resource_params__", "workflow_resources"), ("__job_resource", "resources")):
        if key in job:
            parameters.append(SimpleNamespace(name=name, value=json.dumps(job[key])))
    with tempfile.TemporaryDirectory() as folder:
        asked = SimpleNamespace(
            input_datasets=list(inputs(job, folder)), input_library_datasets=[], get_parameters=lambda: parameters
        )
        app = SimpleNamespace(
            config=SimpleNamespace(tool_destinations_config_file=path, job_config_file="job_conf.yml"),
            job_config=SimpleNamespace(get_destination=lambda name: name),
        )
        asked_tool = SimpleNamespace(
            old_id=tool.get("old_id", tool["id"]), get_param_values=lambda _: job.get("params") or {}
        )
        try:
            return {"id": map_tool_to_destination(asked, app, asked_tool, user and user["email"])}
        except JobMappingException as e:
            return {"refused": str(e.failure_message)}


def main():
    for path in sys.argv[2:]:
        with open(path) as f:
            grid = json.load(f)
        rules = os.path.join(os.path.dirname(path), grid["file"])
        decisions = [decide(rules, *case) for case in itertools.product(grid["tools"], grid["users"], grid["jobs"])]
        name = os.path.basename(path).replace(".json", ".decisions.json")
        with open(os.path.join(sys.argv[1], name), "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(d, sort_keys=True, ensure_ascii=False) for d in decisions) + "\n]\n")


main()
