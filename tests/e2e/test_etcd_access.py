"""TLS with certificates on both sides, and a user with a password, against a real etcd."""

from pathlib import Path

import etcd3aio
import grpc
import grpc.aio
import pytest

from controller.store.etcd_client import Access, EtcdClient
from controller.store.kv import KvError, Put
from tests.controller.store.test_protocol import account
from tests.support.certificates import CERTIFICATE, KEY
from tests.support.etcd import Cluster, etcd_cluster
from tests.support.stores import KEYS, ElectedStore

CA = CERTIFICATE.encode()


async def test_tls_and_a_user_that_may_do_no_more_than_it_must(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    options = (
        *("--cert-file", str(certificate), "--key-file", str(key)),
        *("--trusted-ca-file", str(certificate), "--client-cert-auth"),
    )
    async with etcd_cluster(tmp_path, members=1, options=options, scheme="https") as cluster:
        endpoint = f"localhost:{cluster.members[0].client_port}"
        tls = Access(endpoints=(endpoint,), ca=CA, certificate=CA, key=KEY.encode())
        await cluster.until_it_writes(tls)
        await _add_users(endpoint)
        await _the_right_user_commits(tls, cluster)
        for wrong in (
            Access(endpoints=(endpoint,)),
            Access(endpoints=(endpoint,), ca=CA),
            _as(tls, "farebox", "guess"),
        ):
            stranger = EtcdClient(wrong)
            with pytest.raises(KvError):
                await stranger.transact((), (Put(KEYS.batch, b"9"),))
            await stranger.close()


async def _the_right_user_commits(tls: Access, cluster: Cluster) -> None:
    client = EtcdClient(_as(tls, "farebox", "sesame"))
    store = ElectedStore(client)
    await store.open()
    await store.commit([account()])
    with pytest.raises(KvError, match="grant the user read and write on the prefix"):
        await client.transact((), (Put(b"/elsewhere", b""),))
    member = cluster.members[0]
    member.end()
    cluster.start(member)
    # A member that begins anew knows no tokens of before.
    await cluster.until_it_writes(_as(tls, "root", "root"))
    await store.commit([account(granted=40)])
    await store.close()
    assert (await ElectedStore(client).open()).accounts == (account(granted=40),)
    await client.close()


def _as(tls: Access, user: str, password: str) -> Access:
    return Access(
        endpoints=tls.endpoints,
        ca=tls.ca,
        certificate=tls.certificate,
        key=tls.key,
        user=user,
        password=password,
    )


async def _add_users(endpoint: str) -> None:
    credentials = grpc.ssl_channel_credentials(CA, KEY.encode(), CA)
    async with grpc.aio.secure_channel(endpoint, credentials) as channel:
        users = etcd3aio.auth.AuthService(channel, max_attempts=1)
        for name, password in (("root", "root"), ("farebox", "sesame")):
            await users.user_add(name, password)
            await users.role_add(name)
            await users.user_grant_role(name, name)
        await users.role_grant_permission(
            "farebox",
            KEYS.root,
            range_end=KEYS.root[:-1] + b"0",
            perm_type=etcd3aio.PermissionType.READWRITE,
        )
        await users.auth_enable()
