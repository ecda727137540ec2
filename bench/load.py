"""Puts load on a Galaxy server as a scientist's script would, and prints one line of JSON.

load.py URL ADMIN_KEY jobs N SUBMITTERS   N cat1 jobs of one history as fast as SUBMITTERS threads can send them,
                                          then waits until all outputs are ok
load.py URL ADMIN_KEY latency N           N cat1 jobs, one after the other: from POST to ok, looked at every 20 ms

It is one Python process with requests, and what it uses of the processor counts: on a small machine it competes with the
server, as a busy script of a user does.
"""

import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

PATIENCE = 600  # seconds, for all jobs to end


class Client:
    """One user's session per thread, as connections are kept alive by their thread."""

    def __init__(self, url, key):
        self.url, self.key, self.local = url.rstrip("/"), key, threading.local()

    def send(self, method, path, **options):
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        answer = self.local.session.request(method, self.url + path, headers={"x-api-key": self.key}, **options)
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def new_user(url, admin_key):
    admin = Client(url, admin_key)
    name = f"bench-{random.randrange(10**12)}"
    user = admin.send("POST", "/api/users", json={"username": name, "email": name + "@example.org", "password": "a long enough one"})
    return Client(url, admin.send("POST", f"/api/users/{user['id']}/api_key"))


def paste(client, history):
    element = {"src": "pasted", "paste_content": "one\tline\n", "name": "one", "ext": "txt"}
    request = {"history_id": history, "targets": [{"destination": {"type": "hdas"}, "elements": [element]}]}
    ids = [output["id"] for output in client.send("POST", "/api/tools/fetch", json=request)["outputs"]]
    wait(client, history, ids)
    return ids[0]


def wait(client, history, ids):
    """Returns when all datasets are ok; looks at the whole history every 200 ms."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        contents = client.send("GET", f"/api/histories/{history}/contents?v=dev&limit=100000&view=summary")
        states = {item["id"]: item["state"] for item in contents if item["history_content_type"] == "dataset"}
        if all(states.get(i) in ("ok", "error") for i in ids):
            failed = sum(states[i] == "error" for i in ids)
            if failed:
                sys.exit(f"{failed} of {len(ids)} datasets ended in error")
            return
        time.sleep(0.2)
    sys.exit(f"the jobs did not end within {PATIENCE} s")


def submit(client, history, dataset):
    inputs = {"input1": {"src": "hda", "id": dataset}}
    answer = client.send("POST", "/api/tools", json={"history_id": history, "tool_id": "cat1", "inputs": inputs})
    return answer["jobs"][0]["id"], answer["outputs"][0]["id"]


def measure_latency(client, history, dataset, n):
    took = []
    for _ in range(n):
        began = time.perf_counter()
        job, _output = submit(client, history, dataset)
        while (state := client.send("GET", f"/api/jobs/{job}")["state"]) != "ok":
            if state == "error":
                sys.exit("a job ended in error")
            time.sleep(0.02)
        took.append(time.perf_counter() - began)
    return {"latency_s": took}


def measure_jobs(client, history, dataset, n, submitters):
    began = time.perf_counter()
    with ThreadPoolExecutor(submitters) as threads:
        outputs = [output for _job, output in threads.map(lambda _: submit(client, history, dataset), range(n))]
    submitted = time.perf_counter()
    wait(client, history, outputs)
    ended = time.perf_counter()
    return {"submitted_s": submitted - began, "done_s": ended - began}


def main():
    url, admin_key, mode, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    client = new_user(url, admin_key)
    history = client.send("POST", "/api/histories", json={"name": "bench"})["id"]
    dataset = paste(client, history)
    before = os.times()
    if mode == "latency":
        result = measure_latency(client, history, dataset, n)
    elif mode == "jobs":
        result = measure_jobs(client, history, dataset, n, int(sys.argv[5]))
    else:
        sys.exit(f"there is no mode {mode!r}")
    after = os.times()
    result["cpu_s"] = after.user + after.system - before.user - before.system
    print(json.dumps(result))


if __name__ == "__main__":
    main()
