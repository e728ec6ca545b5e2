"""HTTP requests to places that a workflow names: the address is checked, and it is the one that is dialled.

Names are resolved once, here. So a name that changes its address between the check and the connection gains nothing, and neither do
decimal, hexadecimal or short notations: what counts is the address that came out. Redirects are not followed, and proxies are not used,
for they would dial an address that nobody has checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from agentnb.errors import AgentNBError, ConfigurationError, ExecutionError

if TYPE_CHECKING:
    import ssl

    import httpx2

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Guard = Callable[[str, bool], None]
"""Is told an address, and whether that is public, before the connection; it raises to refuse."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_RESPONSE = 10_000_000
CONNECT_TIMEOUT = 10.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class BadRequest(ConfigurationError):
    """The request can't be sent as it is written."""


class RequestFailed(ExecutionError):
    """No whole answer came; another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; names of headers are lower-case, ``body`` is parsed where it is JSON, else text."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: Any

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, or None."""
        text = self.headers.get("retry-after", "")
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
            base = parsedate_to_datetime(self.headers.get("date", "")) if self.headers.get("date") else None
        except (ValueError, TypeError):
            return None
        from datetime import UTC, datetime

        return max((moment - (base or datetime.now(UTC))).total_seconds(), 0.0) if moment.tzinfo else None


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine finds for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether it belongs to the internet; an IPv4 address inside an IPv6 one counts as itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = _inner(found)
    return found.is_global and not found.is_multicast if inner is None else is_public(str(inner))


def _inner(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads; made by ``parse``."""

    url: httpx2.URL
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(url: str) -> Target:
    """Read a URL.

    Raises:
        BadRequest: It is none that a request can be sent to.
    """
    import httpx2

    try:
        found = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError) as error:
        raise BadRequest(f"the URL can't be read: {error}") from None
    if found.scheme not in ("http", "https"):
        raise BadRequest(f"the URL begins with {found.scheme or 'no scheme'}: only http:// and https:// are sent")
    if not found.host:
        raise BadRequest("the URL has no host: write https://HOST/PATH")
    if found.userinfo:
        raise BadRequest("the URL has a user name before its host: pass credentials in headers, as secret:NAME")
    return Target(found, found.raw_host.decode("ascii").strip("[]").rstrip("."), found.port or (443 if found.scheme == "https" else 80))


async def send(
    method: str,
    target: Target,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    guard: Guard,
    timeout: float,
    resolver: Resolver = resolve,
) -> Answer:
    """Send one request, and read the whole answer.

    ``guard`` is asked about each address before the connection; ``timeout`` is seconds for all of it; ``resolver`` finds the addresses.

    Raises:
        BadRequest: It can't be sent as it is.
        RequestFailed: No connection, no answer in time, or an answer that is too long.
        AgentNBError: What the guard raised.
    """
    import httpx2

    own = sorted(name for name in headers if name.lower() in _OWN_HEADERS)
    if own:
        raise BadRequest(f"the header {own[0]} is set by the request itself: leave it out")
    try:
        request = httpx2.Request(
            method, target.url, headers={"Accept-Encoding": "identity", "User-Agent": "agentnb", **headers}, content=body
        )
        async with asyncio.timeout(timeout):
            addresses = await _addresses(target, guard, resolver)
            limits = httpx2.Limits(max_keepalive_connections=0)
            verify = _tls() if target.url.scheme == "https" else False
            async with httpx2.AsyncHTTPTransport(verify=verify, limits=limits) as transport:
                return await _read(await _dial(transport, request, target, addresses, timeout))
    except AgentNBError:
        raise
    except TimeoutError:
        raise RequestFailed(f"{target} gave no whole answer within {timeout:g} s") from None
    except (httpx2.LocalProtocolError, UnicodeError, ValueError, TypeError) as error:
        raise BadRequest(f"the request to {target} can't be sent: {error}") from error
    except (httpx2.HTTPError, OSError) as error:
        raise RequestFailed(f"the request to {target} failed: {str(error) or type(error).__name__}") from error


async def _addresses(target: Target, guard: Guard, resolver: Resolver) -> Sequence[str]:
    try:
        found = await resolver(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise RequestFailed(f"no address is known for {target.host}: {error}") from error
    if not found:
        raise RequestFailed(f"no address is known for {target.host}")
    for address in found:
        guard(address, is_public(address))
    return found


async def _dial(
    transport: httpx2.AsyncHTTPTransport, request: httpx2.Request, target: Target, addresses: Sequence[str], timeout: float
) -> httpx2.Response:
    """Send it to the first address that takes a connection; the name stays in the Host header and in TLS."""
    import httpx2

    times = {"connect": min(timeout, CONNECT_TIMEOUT), "read": timeout, "write": timeout, "pool": timeout}
    request.extensions = {**request.extensions, "timeout": times, "sni_hostname": target.host}
    for place, address in enumerate(addresses, 1):
        request.url = target.url.copy_with(host=address)
        try:
            return await transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if place == len(addresses):
                raise
    raise RequestFailed(f"no address is known for {target.host}")


async def _read(response: httpx2.Response) -> Answer:
    try:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MAX_RESPONSE:
                raise RequestFailed(f"the answer is longer than {MAX_RESPONSE:,} bytes: ask for less")
            parts.append(part)
    finally:
        await response.aclose()
    headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"}
    return Answer(response.status_code, response.reason_phrase, headers, _body(b"".join(parts), headers, response.charset_encoding))


def _body(data: bytes, headers: Mapping[str, str], charset: str | None) -> Any:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if data and (kind == "application/json" or kind.endswith("+json")):
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            pass
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


@cache
def _tls() -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()
