"""The volumes of a pod: folders filled from the API server as a kubelet fills them.

The one rule: tokens come from the TokenRequest API, bound to their very pod; what is asked for and
is not there makes the pod wait, unless it is optional. This module must not know containers.

A token is asked for once, since no test outlives it; config maps and secrets are followed.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.kube_api import ApiError, KubeApi

_TOKEN_S: Final = 3_607
_EVERYBODY: Final = 0o644


class NotYet(Exception):
    """Something that a pod needs is not there; the text says what."""


class Volumes:
    """The volumes of one pod, by name. `claims`: where claimed volumes are, which outlive pods."""

    def __init__(self, api: KubeApi, pod: Mapping[str, Any], folder: Path, claims: Path) -> None:
        self._api = api
        self._pod = pod
        self._folder = folder
        self._claims = claims
        self._namespace: str = pod["metadata"]["namespace"]
        self._group: int | None = pod["spec"].get("securityContext", {}).get("fsGroup")
        self._user = only_user(pod)
        self._tokens: dict[str, str] = {}
        self._token_files: set[str] = set()

    def path(self, name: str) -> Path:
        """Where a volume is on this machine."""
        for volume in self._pod["spec"].get("volumes", ()):
            if volume["name"] == name and "persistentVolumeClaim" in volume:
                claim: str = volume["persistentVolumeClaim"]["claimName"]
                return self._claims / self._namespace / claim
        return self._folder / name

    async def fill(self) -> None:
        """Make all volumes, or bring them up to date. Raises NotYet, ApiError."""
        for volume in self._pod["spec"].get("volumes", ()):
            path = self.path(volume["name"])
            files = await self._files(volume)
            if files is None:
                self._shared(path)
            else:
                self._write(path, files, self._mode(volume))

    def _shared(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
            if self._group is not None:
                os.chown(path, 0, self._group)
                path.chmod(0o2777)

    def _mode(self, volume: Mapping[str, Any]) -> int:
        for kind in ("projected", "configMap", "secret"):
            if kind in volume:
                return int(volume[kind].get("defaultMode", _EVERYBODY))
        return _EVERYBODY

    def _write(self, path: Path, files: Mapping[str, bytes], mode: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for gone in {one.name for one in path.iterdir()} - set(files):
            (path / gone).unlink()
        for name, content in files.items():
            place = path / name
            if place.exists() and place.read_bytes() == content:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            # A reader finds the old file or the new one, and never half of one.
            made = path / f".{place.name}.new"
            made.write_bytes(content)
            made.chmod(mode if self._group is None else mode | 0o440)
            if self._group is not None:
                os.chown(made, 0, self._group)
            elif name in self._token_files and self._user is not None:
                os.chown(made, self._user, 0)
                made.chmod(0o600)
            made.rename(place)

    async def _files(self, volume: Mapping[str, Any]) -> dict[str, bytes] | None:
        """The files of a volume that the API server fills; None for one that pods fill."""
        if "projected" in volume:
            files: dict[str, bytes] = {}
            for source in volume["projected"]["sources"]:
                files |= await self._source(source)
            return files
        if "configMap" in volume or "secret" in volume:
            return await self._source(volume)
        if "downwardAPI" in volume:
            return self._downward(volume["downwardAPI"])
        assert volume.keys() & {"emptyDir", "persistentVolumeClaim"}, f"unknown volume {volume}"
        return None

    async def _source(self, source: Mapping[str, Any]) -> dict[str, bytes]:
        if "configMap" in source:
            said = source["configMap"]
            found = await self._object("configmaps", said)
            binary = {key: base64.b64decode(text) for key, text in found["binaryData"].items()}
            return _chosen(said, {k: v.encode() for k, v in found["data"].items()} | binary)
        if "secret" in source:
            said = source["secret"]
            found = await self._object("secrets", {"name": said.get("secretName"), **said})
            data = {key: base64.b64decode(text) for key, text in found["data"].items()}
            return _chosen(said, data)
        if "downwardAPI" in source:
            return self._downward(source["downwardAPI"])
        asked = source["serviceAccountToken"]
        self._token_files.add(asked["path"])
        return {asked["path"]: (await self._token(asked)).encode()}

    async def _object(self, plural: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
        path = f"/api/v1/namespaces/{self._namespace}/{plural}/{said['name']}"
        try:
            found = await self._api.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            if said.get("optional"):
                return {"data": {}, "binaryData": {}}
            raise NotYet(f"{plural} {said['name']} is not there") from error
        return {"data": found.get("data") or {}, "binaryData": found.get("binaryData") or {}}

    def _downward(self, said: Mapping[str, Any]) -> dict[str, bytes]:
        return {
            item["path"]: field_of(self._pod, item["fieldRef"]["fieldPath"]).encode()
            for item in said["items"]
        }

    async def _token(self, asked: Mapping[str, Any]) -> str:
        audience = asked.get("audience", "")
        if audience not in self._tokens:
            metadata, account = self._pod["metadata"], self._pod["spec"]["serviceAccountName"]
            bound = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
            spec = {
                "audiences": [audience] if audience else [],
                "expirationSeconds": asked.get("expirationSeconds", _TOKEN_S),
                "boundObjectRef": bound,
            }
            path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token"
            made = await self._api.post(path, {"spec": spec})
            self._tokens[audience] = made["status"]["token"]
        return self._tokens[audience]


def only_user(pod: Mapping[str, Any]) -> int | None:
    """The user of all containers, None where they differ: nobody else can read the tokens then."""
    spec = pod["spec"]
    usual = spec.get("securityContext", {}).get("runAsUser")
    users = {
        one.get("securityContext", {}).get("runAsUser", usual)
        for one in (*spec.get("initContainers", ()), *spec["containers"])
    }
    return users.pop() if len(users) == 1 else None


def _chosen(said: Mapping[str, Any], data: Mapping[str, bytes]) -> dict[str, bytes]:
    items = said.get("items")
    if items is None:
        return dict(data)
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not said.get("optional"):
        raise NotYet(f"there is no {missing[0]} in it")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def field_of(pod: Mapping[str, Any], path: str, address: str = "") -> str:
    """A field as the downward API gives it."""
    metadata = pod["metadata"]
    for group in ("labels", "annotations"):
        if path.startswith(f"metadata.{group}['"):
            return str(metadata.get(group, {}).get(path.split("'")[1], ""))
    found = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": pod.get("status", {}).get("hostIP", ""),
    }
    return str(found[path])
