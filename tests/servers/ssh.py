"""A real SSH server on loopback, whose connections can be cut. The other side is the system's `ssh`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncssh


class SshHost:
    """`ssh -F CONFIG box` reaches it."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.config = directory / "ssh_config"
        self.logins = 0
        self.commands: list[str] = []
        self._env = dict(env)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sshd", daemon=True)
        self._server: asyncssh.SSHAcceptor | None = None

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)

    async def _listen(self) -> None:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        user_key = asyncssh.generate_private_key("ssh-ed25519")
        key, known = self.directory / "key", self.directory / "known_hosts"
        user_key.write_private_key(key)
        key.chmod(0o600)
        trusted = asyncssh.import_authorized_keys(user_key.export_public_key().decode())
        host = self

        class Login(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self.conn = conn
                host._connections.add(conn)

            def connection_lost(self, exc: Exception | None) -> None:
                host._connections.discard(self.conn)

            def auth_completed(self) -> None:
                host.logins += 1

        self._server = await asyncssh.create_server(
            Login,
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=trusted,
            process_factory=self._process,
            encoding=None,
            gss_host=None,  # nothing is to be looked up
        )
        port = self._server.get_port()
        known.write_text(f"[127.0.0.1]:{port} {host_key.export_public_key().decode()}")
        self.config.write_text(
            f"Host box\n  HostName 127.0.0.1\n  Port {port}\n  User tester\n  IdentityFile {key}\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
        )

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        assert process.command is not None
        self.commands.append(process.command)
        child = await asyncio.create_subprocess_shell(
            process.command,
            env={**os.environ, **self._env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        inward = asyncio.create_task(_pump(process.stdin, child.stdin))
        outward = [
            asyncio.create_task(_pump(child.stdout, process.stdout)),
            asyncio.create_task(_pump(child.stderr, process.stderr)),
        ]
        try:
            await asyncio.gather(*outward)
            process.exit(await child.wait())
        finally:
            for task in (inward, *outward):
                task.cancel()
            await asyncio.gather(inward, *outward, return_exceptions=True)
            if child.returncode is None:
                child.terminate()
            child.stdin.close()
            await child.communicate()  # `wait` alone would wait for ever for pipes that nobody reads out

    def cut(self) -> None:
        """All connections end as when a cable is pulled."""

        def abort() -> None:
            for connection in list(self._connections):
                connection.abort()

        self._loop.call_soon_threadsafe(abort)

    def stop(self) -> None:
        async def close() -> None:
            if self._server is not None:
                self._server.close()
            for connection in list(self._connections):
                connection.abort()
            rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


async def _pump(reader: Any, writer: Any) -> None:
    """From one stream to the other until it ends, or either is cut."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@contextlib.contextmanager
def ssh_host(directory: Path, **env: str) -> Iterator[SshHost]:
    """`env`: of the commands that are run there."""
    host = SshHost(directory, env)
    host.start()
    try:
        yield host
    finally:
        host.stop()
