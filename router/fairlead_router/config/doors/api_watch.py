"""The ConfigMap and the Secret that the operator publishes, followed by name at the API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fairlead_contract.delivery import credentials_in, is_blank, snapshot_in
from fairlead_contract.snapshot import Credentials, RejectReason, Sealed, SnapshotRejected
from fairlead_kube.access import KubeAccess
from fairlead_kube.backoff import Backoff
from fairlead_kube.client import Json, KubeClient
from fairlead_kube.follow import follow_object
from fairlead_router.config.doors.status import Door, DoorName
from fairlead_router.config.receiver import ConfigReceiver

logger = logging.getLogger("fairlead.config.api")

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
_COLLECTIONS = {CONFIG_MAP: "configmaps", SECRET: "secrets"}


@dataclass(frozen=True, slots=True)
class PublishedObjects:
    """Where the operator publishes."""

    access: KubeAccess
    namespace: str
    config_map: str
    secret: str


class ApiDoor:
    """Holds the latest of both objects, and offers them together whenever either changes.

    A deleted or unreadable object takes nothing away: the running table stays, and what was read last goes on being
    combined with what the other object says. A Secret that is deleted by accident must not stop a route; a credential is
    withdrawn by a snapshot that withholds its provider.
    """

    def __init__(
        self,
        published: PublishedObjects,
        receiver: ConfigReceiver,
        door: Door,
        *,
        degraded: dict[str, str],
        draw: Callable[[], float],
    ) -> None:
        self._published = published
        self._names = {CONFIG_MAP: published.config_map, SECRET: published.secret}
        self._receiver = receiver
        self._door = door
        self._degraded = degraded
        self._draw = draw
        self._sealed: Sealed | None = None
        self._credentials: Credentials | None = None
        self._connected = {CONFIG_MAP: False, SECRET: False}
        self._failures: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._content: dict[str, object] = {}
        self._secret_asked = False
        self._changed = asyncio.Event()

    async def follow(self, client: KubeClient) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._offer_latest(), name="offer")
            tasks.create_task(self._follow(client, CONFIG_MAP), name="config-map")
            tasks.create_task(self._follow(client, SECRET), name="secret")

    async def _follow(self, client: KubeClient, kind: str) -> None:
        await follow_object(
            client,
            f"/api/v1/namespaces/{self._published.namespace}/{_COLLECTIONS[kind]}",
            self._names[kind],
            partial(self._take, kind),
            backoff=Backoff(self._draw),
            connected=partial(self._hear, kind),
        )

    async def _take(self, kind: str, found: Json | None) -> None:
        self._door.confirmed()
        content = None if found is None else (found.get("data"), found.get("binaryData"))
        if kind in self._content and self._content[kind] == content:
            return
        if kind == SECRET and found is not None and is_blank(found) and self._credentials is None:
            self._fine(kind)  # as a chart makes it; the operator leaves it so until there is a credential
        elif found is None or is_blank(found):
            what = "does not exist" if found is None else "is empty"
            logger.warning("%s", self._trouble(kind, f"it {what}; what was read last stays in force"))
        elif kind == CONFIG_MAP:
            await self._take_config_map(found)
        else:
            await self._take_secret(found)
        self._content[kind] = content
        if kind == SECRET:
            self._secret_is_asked()

    async def _take_config_map(self, found: Json) -> None:
        try:
            self._sealed = await asyncio.to_thread(snapshot_in, found)
        except SnapshotRejected as rejected:
            self._receiver.refuse(DoorName.API, rejected.reason, self._trouble(CONFIG_MAP, rejected.message))
        else:
            self._door.saw(self._sealed.manifest.version)
            self._fine(CONFIG_MAP)
            self._changed.set()

    async def _take_secret(self, found: Json) -> None:
        try:
            self._credentials = await asyncio.to_thread(credentials_in, found)
        except ValueError as error:
            self._receiver.refuse(DoorName.API, RejectReason.MALFORMED, self._trouble(SECRET, str(error)))
        else:
            self._fine(SECRET)
            self._changed.set()

    def _secret_is_asked(self) -> None:
        """From now on a snapshot is offered, with or without credentials: before, they are on their way."""
        if not self._secret_asked:
            self._secret_asked = True
            self._changed.set()

    async def _offer_latest(self) -> None:
        """One at a time, and only the newest: while one is built, any number of others may come."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._sealed is not None and self._secret_asked:
                credentials = self._receiver.credentials if self._credentials is None else self._credentials
                await self._receiver.offer(self._sealed, credentials, source=DoorName.API)

    def _hear(self, kind: str, connected: bool, reason: str) -> None:
        self._connected[kind] = connected
        if connected:
            self._failures.pop(kind, None)
            self._door.confirmed()
        else:
            self._failures[kind] = f"{self._called(kind)}: {reason}"
            if kind == SECRET:
                self._secret_is_asked()
        if self._failures:
            text = "; ".join(self._failures.values())
            self._door.lost(text)
            self._degraded[DoorName.API] = f"ApiServerUnreachable: {text}; the running configuration stays"
        elif all(self._connected.values()):
            self._degraded.pop(DoorName.API, None)
            self._show()

    def _trouble(self, kind: str, message: str) -> str:
        """Remember what is wrong with the object itself; returns it with the object's name."""
        text = self._troubles[kind] = f"{self._called(kind)}: {message}"
        self._show()
        return text

    def _fine(self, kind: str) -> None:
        self._troubles.pop(kind, None)
        self._show()

    def _show(self) -> None:
        if not self._failures and all(self._connected.values()):
            self._door.reached("; ".join(self._troubles.values()) or None)

    def _called(self, kind: str) -> str:
        return f"{kind} {self._published.namespace}/{self._names[kind]}"
