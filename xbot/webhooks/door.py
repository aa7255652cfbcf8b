"""Webhook endpoint: serves HTTP of all webhooks; authenticates, limits, parses and spools posts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from xbot.config.settings import RESPONDER, WebhookSettings
from xbot.model.cooldown import Cooldown
from xbot.model.errors import XbotError
from xbot.model.file_state import FileState, FileUnavailable
from xbot.model.status import Posts
from xbot.model.token_bucket import TokenBuckets, Verdict
from xbot.process.threads import Busy
from xbot.runtime.call_types import TakesPost
from xbot.runtime.failures import Failed
from xbot.runtime.scope import Unloaded
from xbot.text.template import DOTTED, Template
from xbot.web.answer import Answer
from xbot.web.posting import PostRequest
from xbot.webhooks.alerts import alertmanager, grafana
from xbot.webhooks.file import TooMuchWaits
from xbot.webhooks.forge import gitea, github
from xbot.webhooks.gitlab import gitlab
from xbot.webhooks.own import Dedupe, report_by_template, report_of_answers
from xbot.webhooks.payload import Part, WrongPayload, line, parse
from xbot.webhooks.proof import PROOFS, Signed, prove, signed
from xbot.webhooks.report import Report
from xbot.webhooks.sentry import sentry
from xbot.webhooks.spool import Spool

#: Parsers of the bundled templates, :data:`xbot.config.settings.WEBHOOK_TEMPLATES`, by name.
READERS = {
    "alertmanager": alertmanager,
    "grafana": grafana,
    "github": github,
    "gitea": gitea,
    "gitlab": gitlab,
    "sentry": sentry,
}


#: Parsers of one event that is all of the body.
_OF_ONE_EVENT = (github, gitea, gitlab, sentry)

_REPLAYED = "this signed body came before, as another event: the header that names it is wrong"

#: HTTP statuses of responses to posts, for the metrics. 500 is a bug in a responder or in xbot.
STATUSES = ("200", "202", "400", "401", "403", "415", "429", "500", "503")


class NoPostHandler(XbotError):
    """A webhook with ``template = responder`` was posted to, and no responder handles it."""

    def __init__(self) -> None:
        super().__init__("no responder handles this webhook")


#: Temporary errors: the client may retry.
_LATER = (TooMuchWaits, FileUnavailable, NoPostHandler, Busy, Unloaded, TimeoutError)


class WebhookEndpoint:
    """PostHandler for the paths of the configured webhooks.

    The response is 202 once the text is durable in the ``spool``, 200 for a duplicate
    or a post without a text, and else an error with one line that explains it.
    ``taker(name)`` returns the responder's function for the webhook ``name``, or None.
    """

    _log = Logger("xbot.webhooks")

    def __init__(
        self,
        spool: Spool,
        clock: IReactorTime,
        taker: Callable[[str], TakesPost | None] = lambda name: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._wall_clock = wall_clock
        self._taker = taker
        self._refusals = Cooldown(clock)
        self._taken = TokenBuckets(clock.seconds)
        self._webhooks: dict[str, WebhookSettings] = {}
        # By webhook name and HTTP status.
        self._answers: dict[str, Counter[str]] = {}
        self._is_open = False

    @property
    def spool_state(self) -> FileState:
        """Health of the spool's file."""
        return self._spool.state

    def posts(self) -> Posts:
        """Counts of posts and of their texts, for the status."""
        answers = {name: dict(counts) for name, counts in self._answers.items()}
        return Posts(answers, dict(self._spool.fates), self._spool.unsaid)

    def change(self, webhooks: Collection[WebhookSettings]) -> Deferred[None]:
        """Set the webhooks. Fires after the first try to open the spool, if it is needed.

        :raises UnusableFile: (by the Deferred) when retrying cannot help.
        """
        self._set(webhooks)
        if self._is_open or not webhooks:
            return succeed(None)
        self._is_open = True
        return self._spool.open({room for webhook in webhooks for room in webhook.rooms})

    def hold(self) -> None:
        """Stop sending; the next process sends what is left in the spool."""
        self._spool.hold()

    def close(self) -> Deferred[None]:
        """Record the messages that were delivered, and close the spool; fires when done."""
        return self._spool.close()

    def _set(self, webhooks: Iterable[WebhookSettings]) -> None:
        self._webhooks = {webhook.path: webhook for webhook in webhooks}
        # Counters start at 0, so that a metric exists before its first increment.
        self._answers = {
            webhook.name: self._answers.get(webhook.name, Counter(dict.fromkeys(STATUSES, 0)))
            for webhook in self._webhooks.values()
        }

    def is_path(self, path: str) -> bool:
        return path in self._webhooks

    def post(self, posted: PostRequest) -> Deferred[Answer]:
        """Handle one post; fires with the response."""
        return Deferred.fromCoroutine(self._post(posted))

    async def _post(self, posted: PostRequest) -> Answer:
        """Find the webhook, take the post, and count the response by status."""
        webhook = self._webhooks.get(posted.path)
        if webhook is None:
            return Answer.text("not found", 404)
        counts, status = self._answers[webhook.name], 500
        try:
            answer = await self._take(webhook, posted)
            status = answer.status
        finally:
            counts[str(status)] += 1
        return answer

    async def _take(self, webhook: WebhookSettings, posted: PostRequest) -> Answer:
        """Authenticate, limit, parse, deduplicate and spool one post; return the response."""
        refusal = self._refuse(webhook, posted)
        if refusal is not None:
            return self._told(webhook, refusal)
        body = signed(posted.headers, posted.body) if webhook.secret is not None else None
        try:
            payload = parse(posted.body)
            if body is not None and not await self._spool.binds(body):
                return self._told(webhook, Answer.text(_REPLAYED, 403))
            if webhook.template == RESPONDER:
                report = await self._ask(webhook, payload, posted.headers)
            else:
                report = read(webhook, posted.headers, payload, body)
            if not report.items:
                return Answer.text("there is nothing to say of this")
            is_news = await self._spool.keep(
                webhook.name,
                webhook.rooms,
                report.items,
                lambda items: report.said(webhook.name, items, webhook.code),
                webhook.dedupe,
            )
        except (WrongPayload, Failed, *_LATER) as error:
            return self._told(webhook, _refusal(error))
        return Answer.text(*(("this will be said", 202) if is_news else ("this was said before",)))

    async def _ask(
        self, webhook: WebhookSettings, payload: Part, headers: Mapping[str, str]
    ) -> Report:
        """Call the responder's function for ``webhook``; return its answers as a report."""
        take = self._taker(webhook.name)
        if take is None:
            raise NoPostHandler
        shown = {name: text for name, text in headers.items() if name not in PROOFS}
        answers = await take(payload.value, shown)
        if answers.failure is not None:
            answers.failure.raiseException()
        return report_of_answers(answers.said, _dedupe(webhook), headers)

    def _refuse(self, webhook: WebhookSettings, posted: PostRequest) -> Answer | None:
        """The refusal by authentication, content type or rate limit; None to go on."""
        # Authentication first: clients without the secret learn nothing else, and do not
        # use up the rate limit.
        if webhook.secret is not None:
            refusal = prove(webhook.secret, posted.headers, posted.body, self._wall_clock())
            if refusal is not None:
                return Answer.text(refusal.reason, refusal.status)
        kind = posted.headers.get("content-type", "").partition(";")[0].strip().lower()
        # CSRF: browsers send these content types across origins only after a CORS preflight.
        if kind != "application/json" and not kind.endswith("+json"):
            return Answer.text("the content type must be application/json", 415)
        rate = webhook.rate
        if rate is not None and self._taken.take(webhook.name, rate) is not Verdict.WITHIN:
            return Answer.text(f"more than {rate}; try again later", 429)
        return None

    def _told(self, webhook: WebhookSettings, answer: Answer) -> Answer:
        """Log a refusal, with a cooldown per webhook and status; return ``answer``."""
        if self._refusals.allows(f"{webhook.name} {answer.status}"):
            self._log.warn(
                "webhook {webhook}: refused with {status}: {reason}",
                webhook=webhook.name,
                status=answer.status,
                reason=answer.body.decode().rstrip(),
            )
        return answer


def read(
    webhook: WebhookSettings,
    headers: Mapping[str, str],
    payload: Part,
    body: Signed | None = None,
) -> Report:
    """Make a report of ``payload`` by the webhook's template; raises :class:`WrongPayload`."""
    reader = READERS.get(webhook.template)
    if reader is not None:
        report = reader(headers, payload)
        if reader not in _OF_ONE_EVENT or body is None:
            return report
        # The delivery's id is in a header: in place of it, what the signature covers.
        return evolve(report, items=tuple(evolve(item, key=body.body) for item in report.items))
    template = Template.parse(webhook.template, DOTTED.fullmatch)
    return report_by_template(template, _dedupe(webhook), payload, headers)


def _dedupe(webhook: WebhookSettings) -> Dedupe:
    return Dedupe(webhook.dedupe_key, webhook.dedupe_text)


def _refusal(error: Exception) -> Answer:
    """The HTTP response for an exception: 400 for bad input, 503 if the client should retry."""
    if isinstance(error, WrongPayload):
        return Answer.text(error.reason, 400)
    if isinstance(error, Failed):
        return Answer.text(line(error.answer), 400)
    if isinstance(error, TooMuchWaits):
        return Answer.text("too many texts are waiting to be sent; try again later", 503)
    if isinstance(error, NoPostHandler):
        return Answer.text("no responder handles this webhook; try again later", 503)
    return Answer.text("this cannot be done now; try again later", 503)
