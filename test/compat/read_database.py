"""Reads a database with Galaxy's own models and prints what it finds as one JSON object.

    python read_database.py DATABASE_URL FILE_PATH EMAIL PASSWORD ID_SECRET
"""
import json
import sys
from pathlib import Path

from sqlalchemy import create_engine, inspect, select

import galaxy.config
from galaxy import model
from galaxy.datatypes.registry import Registry
from galaxy.model import mapping
from galaxy.model.migrations import GXY, TSI, get_alembic_manager, verify_databases
from galaxy.objectstore import DiskObjectStore
from galaxy.security.idencoding import IdEncodingHelper
from galaxy.util.bunch import Bunch

url, file_path, email, password, id_secret = sys.argv[1:]


def migrations():
    """What Galaxy asks of a database before it starts: raises unless both models are up to date."""
    engine = create_engine(url)
    verify_databases(engine, None, None, None, None, None, is_auto_migrate=False)
    manager = get_alembic_manager(engine)
    found = {"gxy": manager.is_up_to_date(GXY), "tsi": manager.is_up_to_date(TSI)}
    engine.dispose()
    return found


def whole_tables(session):
    """Loads every row of every mapped class with all its columns; counts the rows by table."""
    rows = {}
    for mapper in sorted(model.mapper_registry.mappers, key=lambda m: m.local_table.name):
        if mapper.local_table is not None and hasattr(mapper.local_table, "columns"):
            count = 0
            for one in session.scalars(select(mapper.class_)):
                for attribute in mapper.column_attrs:
                    getattr(one, attribute.key)
                count += 1
            if count:
                rows[mapper.local_table.name] = count
    return rows


def missing(engine):
    """Tables and columns of Galaxy's models that the database does not have."""
    inspector = inspect(engine)
    tables = set(inspector.get_table_names()) | set(inspector.get_view_names())
    absent = []
    for table in model.mapper_registry.metadata.sorted_tables:
        if table.name not in tables:
            absent.append(table.name)
            continue
        columns = {c["name"] for c in inspector.get_columns(table.name)}
        absent += [f"{table.name}.{c.name}" for c in table.columns if c.name not in columns]
    return absent


class Encoder:
    def __init__(self):
        self.helper = IdEncodingHelper(id_secret=id_secret)

    def __call__(self, one):
        return self.helper.encode_id(one.id)


def dataset(hda):
    return {
        "hid": hda.hid, "name": hda.name, "state": hda.state, "extension": hda.extension, "peek": hda.peek, "blurb": hda.blurb,
        "visible": hda.visible, "deleted": hda.deleted, "dbkey": hda.dbkey,
        "metadata": {name: hda.metadata.get(name) for name in ("columns", "column_types", "data_lines", "comment_lines", "delimiter")
                     if hda.metadata.get(name) is not None},
        "file_size": int(hda.dataset.file_size), "total_size": int(hda.dataset.total_size),
        "file_name": hda.dataset.get_file_name(), "content": open(hda.dataset.get_file_name()).read(),
        "job": hda.creating_job.id if hda.creating_job else None, "created": hda.create_time.isoformat(),
        "permissions": sorted(a.action for a in hda.dataset.actions), "uuid": str(hda.dataset.uuid),
    }


def job(one):
    return {
        "id": encode(one), "tool": one.tool_id, "version": one.tool_version, "state": one.state, "exit_code": one.exit_code,
        "parameters": {name: json.loads(value) for name, value in one.raw_param_dict().items() if one.tool_id != "__DATA_FETCH__"},
        "inputs": {a.name: encode(a.dataset) for a in one.input_datasets}, "outputs": {a.name: encode(a.dataset) for a in one.output_datasets},
        "user": one.user.email, "history": encode(one.history), "stdout": one.tool_stdout, "stderr": one.tool_stderr,
        "command": one.command_line, "handler": bool(one.handler), "runner": one.job_runner_name, "destination": one.destination_id,
        "history_of_states": [h.state for h in sorted(one.state_history, key=lambda h: h.id)],
        "ordered": one.create_time <= one.update_time,
    }


encode = Encoder()
found = {"migrations": migrations()}
store = DiskObjectStore(
    Bunch(object_store_check_old_style=False, enable_quotas=False, jobs_directory=file_path, new_file_path=file_path, umask=0o77,
          object_store_always_respect_user_selection=False, object_store_cache_path=None, object_store_cache_size=-1),
    {"type": "disk", "files_dir": file_path, "store_by": "uuid", "extra_dirs": []},
)
models = mapping.init(file_path, url, map_install_models=True)
model.setup_global_object_store_for_models(store)
registry = Registry()
registry.load_datatypes(".", str(Path(galaxy.config.__file__).parent / "sample" / "datatypes_conf.xml.sample"))
model.set_datatypes_registry(registry)

session = models.session
found["missing"] = missing(models.engine)
found["rows"] = whole_tables(session)
user = session.scalars(select(model.User).filter_by(email=email)).one()
found["user"] = {
    "id": encode(user), "username": user.username, "password": user.check_password(password), "wrong password": user.check_password(password + "x"),
    "active": user.active, "deleted": user.deleted, "external": user.external, "keys": [k.key for k in user.api_keys if not k.deleted],
    "disk usage": int(user.total_disk_usage or 0), "counted disk usage": int(user.calculate_disk_usage_default_source(store) or 0),
    "roles": sorted(r.type for r in user.all_roles()),
}
found["histories"] = {
    encode(h): {"name": h.name, "deleted": h.deleted, "hid_counter": h.hid_counter, "tags": sorted(
        t.user_tname + (":" + t.user_value if t.user_value else "") for t in h.tags), "annotations": [a.annotation for a in h.annotations],
        "datasets": {encode(d): dataset(d) for d in h.datasets}}
    for h in user.histories
}
found["jobs"] = [job(j) for j in session.scalars(select(model.Job).order_by(model.Job.id))]
print(json.dumps(found, indent=1))
