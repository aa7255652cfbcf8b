"""What is answered to who posts: each webhook's rules, in the order in which they are checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from xbot.config.settings import RESPONDER, WebhookSettings
from xbot.model.cooldown import Cooldown
from xbot.model.errors import XbotError
from xbot.model.file_state import FileUnavailable
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
from xbot.webhooks.own import Own, returned
from xbot.webhooks.payload import Part, WrongPayload, line, parse
from xbot.webhooks.proof import Proof, prove
from xbot.webhooks.report import Report
from xbot.webhooks.spool import Spool

#: What ``template`` can name; the names are :data:`xbot.config.settings.WEBHOOK_TEMPLATES`.
READERS = {
    "alertmanager": alertmanager,
    "grafana": grafana,
    "github": github,
    "gitea": gitea,
}


#: What a post can be answered, for those who count. 500 is a mistake of a responder, or of ours.
STATUSES = ("200", "202", "400", "401", "403", "415", "429", "500", "503")


class NobodyTakesIt(XbotError):
    """No loaded responder takes what is posted to a webhook that is left to one."""

    def __init__(self) -> None:
        super().__init__("no responder takes this")


#: What passes, so that who posts may try again.
_LATER = (TooMuchWaits, FileUnavailable, NobodyTakesIt, Busy, Unloaded, TimeoutError)

# No responder sees them.
_PROOFS = frozenset(
    {
        "authorization",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-gitea-signature",
        "x-gogs-signature",
    }
)


class Door:
    """Answers what is posted to the paths of webhooks.

    202 once what it says is durable in the ``spool``, 200 when it says nothing
    new, and an error with one line that says what is wrong. ``taker`` gives what,
    of a responder, takes what is posted to the webhook of this name.
    """

    _log = Logger("xbot.webhooks")

    def __init__(
        self,
        spool: Spool,
        clock: IReactorTime,
        taker: Callable[[str], TakesPost | None] = lambda name: None,
    ) -> None:
        self._spool = spool
        self._taker = taker
        self._refusals = Cooldown(clock)
        self._taken = TokenBuckets(clock.seconds)
        self._webhooks: dict[str, WebhookSettings] = {}
        # By name and HTTP status.
        self._answers: dict[str, Counter[str]] = {}
        self._is_open = False

    def posts(self) -> Posts:
        """What was posted, and what became of it."""
        answers = {name: dict(counts) for name, counts in self._answers.items()}
        return Posts(answers, dict(self._spool.fates), self._spool.unsaid)

    def change(self, webhooks: Collection[WebhookSettings]) -> Deferred[None]:
        """From now on these; fires once what they say can be kept, or that was tried in vain.

        :raises UnusableSpool: (by the Deferred) when only a person can help.
        """
        self._set(webhooks)
        if self._is_open or not webhooks:
            return succeed(None)
        self._is_open = True
        return self._spool.open({room for webhook in webhooks for room in webhook.rooms})

    def hold(self) -> None:
        """Say no more: what waits is said by the next process."""
        self._spool.hold()

    def close(self) -> Deferred[None]:
        """Note what has arrived; fires when nothing is left to do."""
        return self._spool.close()

    def _set(self, webhooks: Iterable[WebhookSettings]) -> None:
        self._webhooks = {webhook.path: webhook for webhook in webhooks}
        # From the first on there is a number that the next one is more than.
        self._answers = {
            webhook.name: self._answers.get(webhook.name, Counter(dict.fromkeys(STATUSES, 0)))
            for webhook in self._webhooks.values()
        }

    def is_path(self, path: str) -> bool:
        """Whether something can be posted there."""
        return path in self._webhooks

    def post(self, posted: PostRequest) -> Deferred[Answer]:
        """What ``posted`` is answered, whatever it is."""
        return Deferred.fromCoroutine(self._post(posted))

    async def _post(self, posted: PostRequest) -> Answer:
        webhook = self._webhooks.get(posted.path)
        if webhook is None:
            return Answer.text("there is nothing here", 404)
        counts, status = self._answers[webhook.name], 500
        try:
            answer = await self._take(webhook, posted)
            status = answer.status
        finally:
            counts[str(status)] += 1
        return answer

    async def _take(self, webhook: WebhookSettings, posted: PostRequest) -> Answer:
        refusal = self._refuse(webhook, posted)
        if refusal is not None:
            return self._told(webhook, refusal)
        try:
            payload = parse(posted.body)
            if webhook.template == RESPONDER:
                report = await self._ask(webhook, payload, posted.headers)
            else:
                report = read(webhook, posted.headers, payload)
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
        """What the responder that takes these posts says."""
        take = self._taker(webhook.name)
        if take is None:
            raise NobodyTakesIt
        shown = {name: text for name, text in headers.items() if name not in _PROOFS}
        answers = await take(payload.value, shown)
        if answers.failure is not None:
            answers.failure.raiseException()
        return returned(answers.said)

    def _refuse(self, webhook: WebhookSettings, posted: PostRequest) -> Answer | None:
        """Why its contents are no matter, if so."""
        # Nobody without the secret learns more, or uses up the rate of others.
        if webhook.secret is not None:
            proof = prove(webhook.secret, posted.headers, posted.body)
            if proof is Proof.MISSING:
                return Answer.text("a signature, or Authorization: Bearer SECRET, is missing", 401)
            if proof is Proof.WRONG:
                return Answer.text("the signature, or the token, is wrong", 403)
        kind = posted.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A page in a browser cannot send these without asking first.
        if kind != "application/json" and not kind.endswith("+json"):
            return Answer.text("the content type must be application/json", 415)
        rate = webhook.rate
        if rate is not None and self._taken.take(webhook.name, rate) is not Verdict.WITHIN:
            return Answer.text(f"more than {rate}; try again later", 429)
        return None

    def _told(self, webhook: WebhookSettings, answer: Answer) -> Answer:
        """Say in the log that it was refused, not too often."""
        if self._refusals.allows(f"{webhook.name} {answer.status}"):
            self._log.warn(
                "webhook {webhook}: refused with {status}: {reason}",
                webhook=webhook.name,
                status=answer.status,
                reason=answer.body.decode().rstrip(),
            )
        return answer


def read(webhook: WebhookSettings, headers: Mapping[str, str], payload: Part) -> Report:
    """What ``webhook`` makes of ``payload``; raises :class:`WrongPayload`."""
    reader = READERS.get(webhook.template)
    if reader is not None:
        return reader(headers, payload)
    template = Template.parse(webhook.template, DOTTED.fullmatch)
    return Own(template, webhook.dedupe_key).read(payload)


def _refusal(error: Exception) -> Answer:
    if isinstance(error, WrongPayload):
        return Answer.text(error.reason, 400)
    if isinstance(error, Failed):
        return Answer.text(line(error.answer), 400)
    if isinstance(error, TooMuchWaits):
        return Answer.text("too much waits to be said; try again later", 503)
    if isinstance(error, NobodyTakesIt):
        return Answer.text("no responder takes this; try again later", 503)
    return Answer.text("this cannot be done now; try again later", 503)
