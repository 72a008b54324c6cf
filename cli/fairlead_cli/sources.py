"""Where a router's configuration comes from, as the command line has it."""

from __future__ import annotations

import argparse
import os
import random
from importlib.metadata import version

from fairlead_kube.access import in_cluster
from fairlead_router.config.doors.api_watch import PublishedObjects
from fairlead_router.config.doors.mounted import MountedFiles
from fairlead_router.config.doors.open import Sources, follow_sources
from fairlead_router.http.context import Context
from fairlead_router.settings import SettingError, Settings


def make_sources(settings: Settings, arguments: argparse.Namespace) -> Sources:
    """The doors that are wanted. Raises ``SettingError`` or ``fairlead_kube.errors.NoAccess``."""
    files = None if arguments.snapshot is None else MountedFiles(arguments.snapshot, arguments.credentials)
    return Sources(settings.last_good_dir, files, _published(settings) if arguments.kubernetes else None)


def _published(settings: Settings) -> PublishedObjects:
    """Raises ``SettingError`` or ``NoAccess``."""
    access = in_cluster(os.environ)
    namespace = settings.snapshot_namespace or access.namespace
    if namespace is None:
        raise SettingError("--kubernetes: this pod's namespace is not known: name one with --namespace")
    return PublishedObjects(access, namespace, settings.snapshot_config_map, settings.credentials_secret)


async def follow(sources: Sources, context: Context) -> None:
    """Offer what comes through the doors, until cancelled. Raises ``fairlead_kube.errors.NoAccess``."""
    await follow_sources(
        sources,
        context.pipeline.receiver,
        context.doors,
        degraded=context.degraded,
        user_agent=f"fairlead-router/{version('fairlead')}",
        draw=random.random,
    )
