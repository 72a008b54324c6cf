"""nginx as a reverse proxy: what C does with bytes that it need not understand."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from bench.peers.cache import debian_packages, library_path
from bench.peers.recipe import Launch, Recipe, Site

_VERSION = "1.22.1"
_CONFIG = """
worker_processes 1;
master_process off;
daemon off;
pid {scratch}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    upstream provider {{
        server {upstream};
        {fallback}
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_next_upstream error timeout http_500 http_502 http_503 http_504 non_idempotent;
        }}
        location = /ready {{ return 204; }}
    }}
}}
"""


def _install(folder: Path) -> None:
    debian_packages(folder, f"nginx={_VERSION}*", "libpcre2-8-0")


def _launch(site: Site) -> Launch:
    backup = f"server {urlsplit(site.fallback).netloc} backup;" if site.fallback else ""
    config = site.scratch / "nginx.conf"
    config.write_text(
        _CONFIG.format(scratch=site.scratch, port=site.port, upstream=urlsplit(site.upstream).netloc, fallback=backup)
    )
    return Launch(
        command=[str(site.installed / "usr" / "sbin" / "nginx"), "-p", str(site.scratch), "-c", str(config)],
        environment=library_path(site.installed),
        path=f"{urlsplit(site.upstream).path}/chat/completions",
        ready_path="/ready",
    )


NGINX = Recipe("nginx", _VERSION, "Debian 12's package archive", _install, _launch)
