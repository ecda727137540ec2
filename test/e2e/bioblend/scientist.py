"""A scientist's script: what BioBlend 1.9.0 does with a server, checked step by step.

    python scientist.py URL ADMIN_KEY [ADDRESS]

ADDRESS is that of a file whose content is FETCHED, on a web server that the Galaxy server may fetch from; without it
that step is left out. Every check is told on one line; the exit code is 1 if any failed.
"""
import secrets
import sys
import tempfile
import traceback
from pathlib import Path

from bioblend import ConnectionError as Refused
from bioblend.galaxy import GalaxyInstance

PASTED = "gene2\t20\talpha\ngene1\t10\tbeta\ngene3\t30\talpha\n"
CHOSEN = "gene1 left\ngene4 right\n"
FETCHED = "chr1\t5\t10\nchr2\t7\t9\n"
PATIENCE = 600  # seconds for a job; a Galaxy on a busy machine needs many

failed = []


def check(what, got, want=True):
    ok = got == want
    print(("ok      " if ok else "FAILED  ") + what + ("" if ok else f"\n        got  {got!r}\n        want {want!r}"), flush=True)
    if not ok:
        failed.append(what)


def refused(what, call, statuses):
    """A call that must be refused, with an error in Galaxy's form."""
    try:
        answer = call()
    except Refused as e:
        check(f"{what} is refused with {statuses} (was {e.status_code})", e.status_code in statuses)
        check(f"{what}: the error has err_msg and err_code", '"err_msg"' in str(e.body) and '"err_code"' in str(e.body))
    else:
        check(f"{what} is refused", answer, "an error")


class Scientist:
    def __init__(self, url, key):
        self.url = url
        self.admin = GalaxyInstance(url, key)
        self.name = "scientist-" + secrets.token_hex(4)

    def account(self):
        email, password = f"{self.name}@example.org", "correct horse 2"
        user = self.admin.users.create_local_user(self.name, email, password)
        check("a user is made by the bootstrap administrator", user["email"], email)
        self.key = self.admin.users.create_user_apikey(user["id"])
        self.gi = GalaxyInstance(self.url, self.key)
        me = self.gi.users.get_current_user()
        check("the user's own key tells who it is", (me["id"], me["username"], me["is_admin"]), (user["id"], self.name, False))
        by_password = GalaxyInstance(self.url, email=email, password=password)
        check("the password gives the same key", by_password.key, self.key)
        refused("a wrong key", GalaxyInstance(self.url, "0" * 32).histories.get_histories, [401, 403])
        refused("a second user of that name", lambda: self.admin.users.create_local_user(self.name, "x" + email, password), [400, 409])
        version = self.gi.config.get_version()
        check("the version is that of Galaxy", version["version_major"], "26.1")
        check("the configuration is the user's", self.gi.config.get_config()["is_admin_user"], False)

    def history(self):
        h = self.gi.histories
        self.h = h.create_history("First")["id"]
        h.update_history(self.h, name="Measurements", annotation="of today", tags=["a", "b"])
        shown = h.show_history(self.h)
        check("a history is renamed", shown["name"], "Measurements")
        check("a history is annotated and tagged", (shown["annotation"], sorted(shown["tags"])), ("of today", ["a", "b"]))
        check("a history is listed", [x["id"] for x in h.get_histories(name="Measurements")], [self.h])
        other = h.create_history("Other")["id"]
        h.delete_history(other)
        check("a history is deleted", h.show_history(other)["deleted"])
        h.undelete_history(other)
        check("and restored", h.show_history(other)["deleted"], False)
        refused("a history that is none", lambda: h.show_history("0123456789abcdef"), [400, 404])
        refused("an id of the wrong form", lambda: h.show_history("not-an-id"), [400, 404])
        foreign = self.admin_user().histories.create_history("Private")["id"]
        refused("another user's history", lambda: h.show_history(foreign), [403])
        refused("another user's history's datasets", lambda: h.show_history(foreign, contents=True), [403])
        refused("an upload into it", lambda: self.gi.tools.paste_content("x", foreign), [403])

    def admin_user(self):
        name = "other-" + secrets.token_hex(4)
        user = self.admin.users.create_local_user(name, f"{name}@example.org", "correct horse 3")
        return GalaxyInstance(self.url, self.admin.users.create_user_apikey(user["id"]))

    def wait(self, dataset):
        return self.gi.datasets.wait_for_dataset(dataset, maxwait=PATIENCE, interval=0.2, check=False)

    def bytes_of(self, dataset):
        return self.gi.datasets.download_dataset(dataset, use_default_filename=False)

    def uploads(self, address):
        tools = self.gi.tools
        pasted = tools.paste_content(PASTED, self.h, file_name="genes")["outputs"][0]["id"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a file's words.txt"
            file.write_text(CHOSEN)
            chosen = tools.upload_file(str(file), self.h)["outputs"][0]["id"]
        fetched = tools.put_url(address, self.h, file_name="regions")["outputs"][0]["id"] if address else None
        for what, dataset, content, name in [
            ("pasted text", pasted, PASTED, "genes"), ("a chosen file", chosen, CHOSEN, "a file's words.txt"),
            ("an address", fetched, FETCHED, "regions"),
        ]:
            if dataset is None:
                continue
            shown = self.wait(dataset)
            check(f"{what} is uploaded", (shown["state"], shown["name"]), ("ok", name))
            check(f"{what} has the same bytes", self.bytes_of(dataset), content.encode())
            check(f"{what} has its size", shown["file_size"], len(content))
        shown = self.gi.datasets.show_dataset(pasted)
        check("its format is sniffed", shown["file_ext"], "tabular")
        check("its lines and columns are counted", (shown["metadata_data_lines"], shown["metadata_columns"]), (3, 3))
        check("it has a peek", "gene2" in shown["peek"])
        self.genes, self.words = pasted, chosen

    def toolbox(self):
        ids = {t["id"] for t in self.gi.tools.get_tools()}
        genes, words = {"src": "hda", "id": self.genes}, {"src": "hda", "id": self.words}
        lines = PASTED.splitlines(keepends=True)
        runs = [
            ("cat1", {"input1": genes, "queries_0|input2": words}, PASTED + CHOSEN),
            ("Show beginning1", {"input": genes, "lineNum": 2}, "".join(lines[:2])),
            ("Show tail1", {"input": genes, "lineNum": 1}, lines[2]),
            ("Cut1", {"input": genes, "columnList": "c3,c1", "delimiter": "T"}, "alpha\tgene2\nbeta\tgene1\nalpha\tgene3\n"),
            ("Grep1", {"input": genes, "invert": "", "pattern": "alpha$"}, lines[0] + lines[2]),
            ("Grep1", {"input": genes, "invert": "-v", "pattern": "alpha$"}, lines[1]),
            ("sort1", {"input": genes, "column": "2", "style": "num", "order": "ASC"}, lines[1] + lines[0] + lines[2]),
            ("sort1", {"input": genes, "column": "1", "style": "alpha", "order": "DESC"}, lines[2] + lines[0] + lines[1]),
            ("wc_gnu", {"input1": genes, "options": ["lines", "words", "characters"], "include_header": False}, f"3\t9\t{len(PASTED)}\n"),
            ("random_lines1", {"input": genes, "num_lines": 3, "seed_source|seed_source_selector": "set_seed",
                               "seed_source|seed": "7"}, None),
        ]
        # The first is Orrery's own, the second Galaxy's.
        join = "join_columns" if "join_columns" in ids else "join1"
        runs.append((join, {"input1": genes, "field1": "1", "input2": genes, "field2": "1"},
                     "".join(line.rstrip("\n") + "\t" + line for line in sorted(lines))))
        started = []
        for tool, inputs, content in runs:
            check(f"{tool} is in the toolbox", tool in ids)
            answer = self.gi.tools.run_tool(self.h, tool, inputs)
            check(f"{tool} makes one job and one output", (len(answer["jobs"]), len(answer["outputs"])), (1, 1))
            started.append((tool, answer["jobs"][0]["id"], answer["outputs"][0]["id"], content))
        for tool, job, output, content in started:
            shown = self.wait(output)
            check(f"{tool} ends ok", (shown["state"], self.gi.jobs.get_state(job)), ("ok", "ok"))
            got = self.bytes_of(output).decode()
            if tool == "random_lines1":
                check(f"{tool} gives lines of its input", sorted(got.splitlines(keepends=True)), sorted(lines))
            elif tool == "wc_gnu":
                check(f"{tool} gives the right output", got.split(), content.split())
            elif tool == join:
                check(f"{tool} gives the right output", "".join(sorted(got.splitlines(keepends=True))), content)
            else:
                check(f"{tool} gives the right output", got, content)
        self.job, self.output = started[0][1], started[0][2]

    def job_info(self):
        job = self.gi.jobs.show_job(self.job, full_details=True)
        check("a job tells its tool, state and exit code", (job["tool_id"], job["state"], job["exit_code"]), ("cat1", "ok", 0))
        check("a job tells its inputs and outputs", (job["inputs"]["input1"]["id"], job["outputs"]["out_file1"]["id"]), (self.genes, self.output))
        check("a job tells what it printed", (job["stdout"], job["stderr"]), ("", ""))
        as_admin = self.admin.jobs.show_job(self.job, full_details=True)
        check("an administrator sees the command line", "cat" in as_admin["command_line"])
        check("the jobs of a tool are listed", self.job in [j["id"] for j in self.gi.jobs.get_jobs(tool_id="cat1", history_id=self.h)])
        again = self.gi.jobs.rerun_job(self.job)
        shown = self.wait(again["outputs"][0]["id"])
        check("a job is run again", (shown["state"], self.bytes_of(shown["id"])), ("ok", (PASTED + CHOSEN).encode()))

    def failure(self):
        # The first is Orrery's own tool for this, the second one of Galaxy's for its tests.
        for tool, inputs in [("fail_on_purpose", {"message": "no more ink", "exit_code": 3}), ("job_properties", {"failbool": True})]:
            try:
                self.gi.tools.show_tool(tool)
            except Refused:
                continue
            answer = self.gi.tools.run_tool(self.h, tool, inputs)
            shown = self.wait(answer["outputs"][0]["id"])
            job = self.gi.jobs.show_job(answer["jobs"][0]["id"], full_details=True)
            check("a tool that fails makes its dataset an error", (shown["state"], job["state"]), ("error", "error"))
            check("it tells why", bool(shown["misc_info"].strip()) and job["exit_code"] not in (None, 0))
            break
        else:
            check("there is a tool that fails", False)
        refused("a tool that is none", lambda: self.gi.tools.run_tool(self.h, "no_such_tool", {}), [400, 404])
        refused("a dataset that is none as input", lambda: self.gi.tools.run_tool(
            self.h, "cat1", {"input1": {"src": "hda", "id": "0123456789abcdef"}}), [400, 404])
        refused("a value of the wrong kind", lambda: self.gi.tools.run_tool(
            self.h, "Show beginning1", {"input": {"src": "hda", "id": self.genes}, "lineNum": "many"}), [400])

    def deleting(self):
        h = self.gi.histories
        h.delete_dataset(self.h, self.output)
        check("a dataset is deleted", h.show_dataset(self.h, self.output)["deleted"])
        check("and no longer among the others", self.output not in
              [d["id"] for d in h.show_history(self.h, contents=True, deleted=False)])
        h.update_dataset(self.h, self.output, deleted=False)
        check("and restored", h.show_dataset(self.h, self.output)["deleted"], False)
        h.update_dataset(self.h, self.output, name="Both")
        check("a dataset is renamed", h.show_dataset(self.h, self.output)["name"], "Both")
        h.delete_dataset(self.h, self.words, purge=True)
        check("a dataset is purged", self.gi.datasets.show_dataset(self.words)["purged"])


def main():
    url, key, *address = sys.argv[1:]
    scientist = Scientist(url, key)
    for step in ["account", "history", "uploads", "toolbox", "job_info", "failure", "deleting"]:
        try:
            getattr(scientist, step)(*([address[0] if address else None] if step == "uploads" else []))
        except Exception:
            check(f"{step} comes to its end", traceback.format_exc(), "no exception")
    print(f"{len(failed)} checks failed", flush=True)
    sys.exit(1 if failed else 0)


main()
