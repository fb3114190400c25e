"""What `envstream init` makes in InfluxDB: two buckets, their names for InfluxQL, a token that writes, one that reads.

Running it again changes nothing but what differs. A token is known by its description and what it may do; its file is
written again when it is missing. Nothing is ever deleted: a token whose bucket was made anew is replaced by another,
and stays as one that may do nothing.

``sink.token`` is its owner's alone: the sink runs as the user who ran `envstream init`. ``grafana.token`` may be read
by all who can enter the folder, because Grafana's container has a user of its own: it can only read, and the folder is
given to nobody else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import urllib3.exceptions
from influxdb_client import (
    Authorization,
    Bucket,
    BucketRetentionRules,
    DBRPCreate,
    DBRPUpdate,
    InfluxDBClient,
    Permission,
    PermissionResource,
)
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService

from streams.influx import InfluxError, InfluxSettings, server_words

ADMIN_TOKEN: Final = "ENVSTREAM_INFLUX_ADMIN_TOKEN"  # noqa: S105  name of a variable
SINK, GRAFANA = "sink", "grafana"
"""Who has a token, and what its file is called: ``sink.token``."""

_MODES: Final = {SINK: 0o600, GRAFANA: 0o644}
_POLICY: Final = "autogen"  # the retention policy Grafana's InfluxQL asks for when it names none
_DAY_S: Final = 86_400
_DAILY_SHARDS: Final = 180  # days of retention
_WAIT_S: Final = 30.0

_CURE: Final = (
    f"give a token that may do everything in the organisation, in {ADMIN_TOKEN}; of demo-data in ENVSTREAM_INFLUX_TOKEN"
)

_Right = tuple[str, str, str]  # action, type of resource, its id or "" for all of the organisation


def prepare(settings: InfluxSettings, tokens: Path | None, *, wait_s: float = _WAIT_S) -> list[str]:
    """Make what is missing and mend what differs; one line per thing for a person.

    Args:
        settings: with a token that may do everything in the organisation.
        tokens: folder for the files of the tokens; None to make none.
        wait_s: how long an InfluxDB that does not answer is waited for.

    Raises:
        InfluxError: InfluxDB does not answer, the token may not do this, there is no such organisation, or a file
            cannot be written.
    """
    until = time.monotonic() + wait_s
    with InfluxDBClient(url=settings.url, token=settings.secret(), org=settings.org, timeout=5_000) as client:
        while True:
            try:
                return list(_steps(client, settings, tokens))
            except ApiException as error:
                if error.status in (401, 403):
                    raise InfluxError(f"{settings.place()} answers {error.status}: {_CURE}") from None
                if time.monotonic() > until or (error.status or 500) < 500:
                    raise InfluxError(f"{settings.place()} answers {error.status} {server_words(error)}") from None
            except (urllib3.exceptions.HTTPError, OSError):
                if time.monotonic() > until:
                    cure = "is it running, and is ENVSTREAM_INFLUX_URL its address?"
                    raise InfluxError(f"{settings.place()} does not answer: {cure}") from None
            time.sleep(0.5)


def _steps(client: InfluxDBClient, settings: InfluxSettings, tokens: Path | None) -> Iterator[str]:
    found = client.organizations_api().find_organizations(org=settings.org)  # an unknown one is a 404
    if not found:  # measured: so a token that may only write or read is answered
        raise InfluxError(f"{settings.place()} shows this token no organisation: {_CURE}")
    org = str(found[0].id)
    ids = []
    for name, days in ((settings.bucket, 0), (settings.recent_bucket, settings.recent_days)):
        bucket, state = _bucket(client, org, name, days * _DAY_S)
        ids.append(str(bucket.id))
        yield f"{settings.place(name)}: bucket {state}, kept {f'{days} days' if days else 'for ever'}"
        yield f"{settings.place(name)}: name for InfluxQL {_mapping(client, org, name, str(bucket.id))}"
    if tokens is None:
        yield "InfluxDB: no tokens made: give --tokens FOLDER"
        return
    of_buckets = {SINK: "write", GRAFANA: "read"}
    for who, action in of_buckets.items():
        rights: set[_Right] = {(action, "buckets", bucket_id) for bucket_id in ids}
        if who == GRAFANA:
            rights.add(("read", "dbrp", ""))
        yield _token(client, org, who, rights, tokens)


def _bucket(client: InfluxDBClient, org: str, name: str, seconds: int) -> tuple[Bucket, str]:
    """A bucket that keeps so many seconds, 0 for ever; and what was done."""
    api = client.buckets_api()
    # As InfluxDB would choose it for a new bucket; of one that is there it refuses a retention below the old duration.
    shard = 1 if 0 < seconds <= _DAILY_SHARDS * _DAY_S else 7
    rules = [BucketRetentionRules(type="expire", every_seconds=seconds, shard_group_duration_seconds=shard * _DAY_S)]
    found = None
    try:
        found = next(iter(api.find_buckets(name=name, org_id=org).buckets), None)
    except ApiException as error:  # measured: an unknown name with an organisation is a 404, not an empty list
        if error.status != 404:
            raise
    if found is None:
        return api.create_bucket(bucket_name=name, org_id=org, retention_rules=rules), "created"
    if sum(rule.every_seconds for rule in found.retention_rules) == seconds:
        return found, "is there"
    found.retention_rules = rules
    return api.update_bucket(bucket=found), "changed"


def _mapping(client: InfluxDBClient, org: str, name: str, bucket_id: str) -> str:
    """An explicit mapping of database ``name``: the virtual one of a bucket is hidden by any other of its name."""
    api = DBRPsService(client.api_client)
    there = api.get_dbr_ps(org_id=org, db=name).content or []
    ours = next((one for one in there if one.retention_policy == _POLICY and not one.virtual), None)
    if ours is None:
        api.post_dbrp(
            dbrp_create=DBRPCreate(
                org_id=org, bucket_id=bucket_id, database=name, retention_policy=_POLICY, default=True
            )
        )
        return "created"
    if ours.bucket_id != bucket_id:
        raise InfluxError(
            f"InfluxDB: database {name}/{_POLICY} is mapped to another bucket: `influx v1 dbrp delete --id {ours.id}`"
        )
    if not ours.default:
        api.patch_dbrpid(dbrp_id=ours.id, org_id=org, dbrp_update=DBRPUpdate(default=True))
        return "changed"
    return "is there"


def _token(client: InfluxDBClient, org: str, who: str, rights: set[_Right], folder: Path) -> str:
    """The token of ``who``, also in its file; what was done."""
    path = folder / f"{who}.token"
    api = client.authorizations_api()
    description = f"envstream {who}"
    ours = [
        one
        for one in api.find_authorizations(org_id=org)
        if one.description == description and one.status == "active" and _rights(one) == rights
    ]
    in_file = _read(path)
    state = "is there"
    # A server that keeps only hashes does not tell a token again: then the file is all there is.
    token = next((one.token for one in ours if one.token == in_file), None) or next(
        (one.token or in_file for one in ours if one.token or in_file), None
    )
    if token is None:
        permissions = [
            Permission(action=action, resource=PermissionResource(type=kind, id=key or None, org_id=org))
            for action, kind, key in sorted(rights)
        ]
        made = api.create_authorization(
            authorization=Authorization(org_id=org, description=description, permissions=permissions)
        )
        token, state = str(made.token), "created"
    if token == in_file and path.stat().st_mode & 0o777 == _MODES[who]:
        return f"token {description}: {state}, in {path}"
    _write(path, token, _MODES[who])
    return f"token {description}: {state}, written to {path}"


def _rights(authorization: Authorization) -> set[_Right]:
    return {(one.action, one.resource.type, one.resource.id or "") for one in authorization.permissions or []}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, token: str, mode: int) -> None:
    """Whole or not at all, and never readable by more than ``mode`` says."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.fchmod(file, mode)
            os.write(file, token.encode())
            os.fsync(file)
        finally:
            os.close(file)
        fresh.replace(path)
    except OSError as error:
        raise InfluxError(f"{path}: {error.strerror}: give --tokens a folder this user can write") from None
