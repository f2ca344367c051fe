"""How a read of EDSN's API travels: token, request, judgement, and another try where that can help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from gridwire import clock
from gridwire.edsn_pie import rules, wire
from gridwire.edsn_pie.errors import EdsnAnswerError, Facts
from gridwire.edsn_pie.identity import Identity
from gridwire.edsn_pie.models import Comment
from gridwire.edsn_pie.profile import Profile
from gridwire.observe.events import Events
from gridwire.transport.exchange import Request, Response, Send
from gridwire.transport.retry import RetryQuota, retrying

T = TypeVar("T")

READ_DEADLINE_S = 150.0
"""Bound of a call with all its attempts; long enough for a pause of two minutes after HTTP 429."""

MOST_PAGES = 10_000


class Caller:
    """Makes the calls of one client."""

    def __init__(
        self, send: Send, identity: Identity, profile: Profile, confirmed: frozenset[str], events: Events
    ) -> None:
        self._send = send
        self._identity = identity
        self.profile: Profile = profile
        self._confirmed = confirmed
        self._events = events
        self._quota = RetryQuota()

    async def get(
        self, operation: str, url: str, read: Callable[[object, Facts], T], *, template: str | None = None
    ) -> T:
        """Ask for ``url`` and return what ``read`` makes of its JSON (None for an empty answer).

        ``template`` names the profile field that the path was made from, for a 404 says something about that too. Raises the
        error of the last attempt.
        """
        correlation_id = str(uuid4())
        doubt = None if template is None else rules.path_doubt(self.profile, template, self._confirmed)

        async def once() -> T:
            response, facts = await self._exchange(operation, url, correlation_id)
            if 200 <= response.status < 300:
                return read(wire.read_json(response, facts), facts)
            raise rules.error_of(response, facts, path_doubt=doubt, portal=self.profile.portal_url, now=clock.now())

        def tell(error: BaseException, pause_s: float) -> None:
            self._events.emit(
                "call.retried", f"{operation} is tried again in {pause_s:.1f} s: {error}", operation=operation
            )

        return await retrying(once, rule=rules.read_again, deadline_s=READ_DEADLINE_S, quota=self._quota, on_retry=tell)

    async def _exchange(self, operation: str, url: str, correlation_id: str) -> tuple[Response, Facts]:
        """One attempt. After a 401 it is repeated once with a new token: reading twice does no harm."""
        answer = await self._once(operation, url, correlation_id)
        return await self._once(operation, url, correlation_id) if answer[0].status == 401 else answer

    async def _once(self, operation: str, url: str, correlation_id: str) -> tuple[Response, Facts]:
        token, request_id = await self._identity.get(), str(uuid4())
        request = Request("GET", url, wire.headers(self.profile, token.value, request_id, correlation_id))
        response = await self._send(request)
        if response.status == 401:
            self._identity.refused(token.value)
        return response, rules.facts_of(
            operation, response, request_id=request_id, correlation_id=correlation_id, secrets=(token.value,)
        )

    async def comments(self, ticket_id: str) -> list[Comment]:
        """Every comment of a ticket, page after page until no further one is announced."""
        base = self.profile.rest_url + wire.path(self.profile.comments_path, ticket_id=ticket_id)
        found: list[Comment] = []
        seen: set[str] = set()
        cursor: str | None = None

        def read(body: object, facts: Facts) -> wire.Page:
            page = wire.page(body, facts)
            found.extend(wire.comment(item, None, ticket_id, facts, self.profile) for item in page.items)
            if page.cursor is not None and (page.cursor in seen or len(seen) >= MOST_PAGES):
                raise EdsnAnswerError(
                    f"The list of comments names a page that was read already, after {len(seen)} pages and {len(found)} "
                    "comments: it would never end. Nothing is returned, because it may not be all.",
                    facts,
                )
            return page

        while True:
            query = wire.page_query(self.profile.page_size, cursor)
            cursor = (await self.get("list_comments", base + query, read, template="comments_path")).cursor
            if cursor is None:
                return found
            seen.add(cursor)
