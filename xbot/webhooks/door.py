"""What is answered to who posts: each webhook's rules, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from xbot.file_state import FileUnavailable
from xbot.rates import Buckets, Verdict
from xbot.settings import WebhookSettings
from xbot.template import DOTTED, Template
from xbot.throttle import Throttle
from xbot.web.answer import Answer
from xbot.web.posting import Posted
from xbot.webhooks.alerts import alertmanager, grafana
from xbot.webhooks.file import TooMuchWaits
from xbot.webhooks.forge import gitea, github
from xbot.webhooks.own import Own
from xbot.webhooks.payload import Part, WrongPayload, parse
from xbot.webhooks.proof import Proof, prove
from xbot.webhooks.report import Report
from xbot.webhooks.spool import Spool

#: What ``template`` can name; the names are :data:`xbot.settings.WEBHOOK_TEMPLATES`.
READERS = {
    "alertmanager": alertmanager,
    "grafana": grafana,
    "github": github,
    "gitea": gitea,
}


class Door:
    """Answers what is posted to the paths of webhooks.

    202 once what it says is durable in the ``spool``, 200 when it says nothing
    new, and an error with one line that says what is wrong.
    """

    _log = Logger("xbot.webhooks")

    def __init__(self, spool: Spool, clock: IReactorTime) -> None:
        self._spool = spool
        self._refusals = Throttle(clock)
        self._taken = Buckets(clock.seconds)
        self._webhooks: dict[str, WebhookSettings] = {}
        self._is_open = False

    @property
    def under_way(self) -> int:
        """How many messages the outbox has of ours."""
        return self._spool.under_way

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

    def is_path(self, path: str) -> bool:
        """Whether something can be posted there."""
        return path in self._webhooks

    def post(self, posted: Posted) -> Deferred[Answer]:
        """What ``posted`` is answered, whatever it is."""
        webhook = self._webhooks.get(posted.path)
        if webhook is None:
            return succeed(Answer.text("there is nothing here", 404))
        refusal = self._refuse(webhook, posted)
        if refusal is not None:
            return succeed(self._told(webhook, refusal))
        try:
            report = read(webhook, posted.headers, parse(posted.body))
        except WrongPayload as wrong:
            return succeed(self._told(webhook, Answer.text(wrong.reason, 400)))
        if not report.items:
            return succeed(Answer.text("there is nothing to say of this"))
        kept = self._spool.keep(
            webhook.name,
            webhook.rooms,
            report.items,
            lambda items: report.said(webhook.name, items, webhook.code),
            webhook.dedupe,
        )
        return kept.addCallbacks(
            lambda is_news: (
                Answer.text("this will be said", 202)
                if is_news
                else Answer.text("this was said before")
            ),
            lambda failure: self._told(webhook, _unkept(failure.value)),
        )

    def _refuse(self, webhook: WebhookSettings, posted: Posted) -> Answer | None:
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


def _unkept(error: BaseException) -> Answer:
    if isinstance(error, TooMuchWaits):
        return Answer.text("too much waits to be said; try again later", 503)
    if isinstance(error, FileUnavailable):
        return Answer.text("this cannot be kept now; try again later", 503)
    raise error
