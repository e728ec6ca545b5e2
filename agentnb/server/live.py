"""What is written to the journal, by whatever process, while it is written: read once a process, handed to all who watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentnb.errors import AgentNBError
from agentnb.ports.store import Event, Store
from agentnb.secrets import to_json
from agentnb.server.events import event_data

POLL_SECONDS = 0.05
BATCH = 500
KEPT = 1000
"""How many messages wait for a client before it is told to come again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a client.

    Attributes:
        seq: The event's number; 0 for what isn't in the journal.
        data: JSON.
        final: Whether nothing of its run follows.
    """

    seq: int
    event: str
    run_id: str
    data: str
    final: bool = False


def message_of(event: Event) -> Message:
    """An event of the journal as a message."""
    data = event_data(event).model_dump_json()
    return Message(event.seq, event.type, event.run_id, data, event.type.endswith(".run_deleted"))


class Subscription:
    """One client's messages; who is too slow is cut off, and comes again with the last number that it has seen.

    Attributes:
        run_id: The run whose messages it is given; empty for those of all.
        lost: Whether it was too slow.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.lost = False
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue(KEPT)

    def put(self, message: Message) -> None:
        if self.lost or (self.run_id and message.run_id != self.run_id):
            return
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.lost = True

    def end(self) -> None:
        """Let the client go."""
        self.lost = True
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def next(self, seconds: float) -> Message | None:
        """The next message; None where there was none for so long, or where it is lost."""
        if self.lost and self._queue.empty():
            return None
        try:
            async with asyncio.timeout(seconds):
                return await self._queue.get()
        except TimeoutError:
            return None


class Tail:
    """Reads the journal's end on a thread of its own.

    Args:
        store: To be read; a connection that nobody else uses, so that no query holds it up.
        observe: Is told of all new events, on that thread.

    Attributes:
        position: The number of the last event that was read.
        problem: Why it can't read, or empty.
    """

    def __init__(self, store: Store, observe: Callable[[Sequence[Event]], None]) -> None:
        self.position = 0
        self.problem = ""
        self._store = store
        self._observe = observe
        self._subscriptions: set[Subscription] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="agentnb-tail", daemon=True)
        self._loop = asyncio.get_running_loop()

    def start(self, position: int) -> None:
        """Read what follows this number; who subscribes after this misses nothing that follows it."""
        self.position = position
        self._thread.start()

    def close(self) -> None:
        """Stop reading, and let all clients go."""
        self._stop.set()
        for subscription in list(self._subscriptions):
            subscription.end()
        if self._thread.is_alive():
            self._thread.join(5)
        self._store.close()

    @property
    def clients(self) -> int:
        return len(self._subscriptions)

    def subscribe(self, run_id: str = "") -> Subscription:
        """Be given what is new from now on; on the loop."""
        subscription = Subscription(run_id)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def whisper(self, run_id: str, event: str, text: str | None) -> None:
        """Tell those who watch a run something that isn't kept; from any thread."""
        message = Message(0, event, run_id, to_json({"run_id": run_id, "text": text}))
        self._on_loop(self._whisper, message)

    def _whisper(self, message: Message) -> None:
        for subscription in self._subscriptions:
            if subscription.run_id:
                subscription.put(message)

    def _publish(self, messages: Sequence[Message]) -> None:
        for subscription in self._subscriptions:
            for message in messages:
                subscription.put(message)

    def _read(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._read_on()
                self.problem = ""
            except AgentNBError as error:
                if str(error) != self.problem:
                    _log.warning("can't read the journal: %s", error)
                self.problem = str(error)

    def _read_on(self) -> None:
        while not self._stop.is_set():
            events = self._store.events(after=self.position, limit=BATCH)
            if not events:
                return
            self.position = events[-1].seq
            self._observe(events)
            self._on_loop(self._publish, [*map(message_of, events)])

    def _on_loop(self, function: Callable[..., None], argument: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)
