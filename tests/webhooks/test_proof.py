"""Tests of :mod:`xbot.webhooks.proof`."""

import hmac
from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from xbot.config.settings import Secret
from xbot.webhooks.proof import FRESH, Refusal, prove, signed

SECRET = Secret("It's a Secret to Everybody")
BODY = b"Hello, World!"
NOW = 1_700_000_000.0

#: GitHub's own example ("Validating webhook deliveries").
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

NOT_THE_HMAC = "came, and is not the HMAC-SHA256 of this body with the secret of this webhook"


def basic(pair: str) -> str:
    return f"Basic {b64encode(pair.encode()).decode()}"


class ProofCase(SynchronousTestCase):
    def refused(self, body=BODY, secret=SECRET, now=NOW, **headers) -> Refusal | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        found = prove(secret, named, body, now)
        if found is not None:
            self.assertNotIn(secret.reveal(), found.reason)
        return found

    def assertProved(self, **headers) -> None:
        self.assertIsNone(self.refused(**headers), headers)

    def assertWrong(self, told: str, status=403, **headers) -> None:
        found = self.refused(**headers)
        assert found is not None, headers
        self.assertEqual((found.status, told in found.reason), (status, True), found.reason)


class SignatureTests(ProofCase):
    def test_signatures(self):
        """Each forge's signature of the body proves it, in either case of its digits."""
        for name, prefix in (
            ("x_hub_signature_256", "sha256="),
            ("x_hub_signature", "sha256="),
            ("x_gitea_signature", ""),
            ("x_forgejo_signature", ""),
            ("x_gogs_signature", ""),
            ("sentry_hook_signature", ""),
            ("x_grafana_alerting_signature", ""),
        ):
            self.assertProved(**{name: prefix + DIGEST})
            self.assertProved(**{name: prefix + DIGEST.upper()})
            self.assertWrong("came, and is not", body=BODY + b"!", **{name: prefix + DIGEST})
        both = {"x_gitea_signature": DIGEST, "x_hub_signature_256": f"sha256={DIGEST}"}
        self.assertProved(**both)

    def test_wrong_signatures(self):
        """Another body, digest, algorithm or secret proves nothing, whatever else is sent."""
        good = f"sha256={DIGEST}"
        bearer = f"Bearer {SECRET.reveal()}"
        self.assertWrong(NOT_THE_HMAC, body=BODY + b"!", x_hub_signature_256=good)
        self.assertWrong(NOT_THE_HMAC, secret=Secret("x"), x_gitea_signature=DIGEST)
        for bad in (DIGEST, f"sha1={DIGEST}", "sha256=", good[:-1], good + "0", "ÿ" * 70, " "):
            told = "X-Hub-Signature-256 came, and"
            self.assertWrong(told, x_hub_signature_256=bad)
            self.assertWrong(told, x_hub_signature_256=bad, x_gitea_signature=DIGEST)
            self.assertWrong(told, x_hub_signature_256=bad, authorization=bearer)
            self.assertWrong(told, x_hub_signature_256=bad, x_gitlab_token=SECRET.reveal())

    def test_sha1(self):
        """GitHub's second signature, with SHA-1, is ignored beside its first and proves nothing."""
        weak = "sha1=" + hmac.new(SECRET.reveal().encode(), BODY, "sha1").hexdigest()
        self.assertProved(x_hub_signature=weak, x_hub_signature_256=f"sha256={DIGEST}")
        self.assertWrong("X-Hub-Signature came with SHA-1, which is too weak", x_hub_signature=weak)
        self.assertIsNone(signed({"x-hub-signature": weak}, BODY))

    def test_grafana_with_a_time(self):
        """Grafana's signed time is part of what is signed, and must be close to our clock."""

        def sent(time: str) -> dict[str, str]:
            key = SECRET.reveal().encode()
            digest = hmac.new(key, f"{time}:".encode() + BODY, "sha256").hexdigest()
            return {
                "x_grafana_alerting_signature": digest,
                "x_grafana_alerting_signature_timestamp": time,
            }

        for away in -FRESH, 0, FRESH:
            self.assertProved(**sent(f"{NOW + away:.0f}"))
        for away in -FRESH - 1, FRESH + 1:
            told = "is more than 5 minutes away from this machine's clock"
            self.assertWrong(told, **sent(f"{NOW + away:.0f}"))
        self.assertWrong("is no time in seconds", **sent("soon"))
        moved = sent(f"{NOW - 900:.0f}")
        moved["x_grafana_alerting_signature_timestamp"] = f"{NOW:.0f}"
        self.assertWrong("a timestamp header must be called", **moved)
        del moved["x_grafana_alerting_signature_timestamp"]
        self.assertWrong("a timestamp header must be called", **moved)

    def test_standard(self):
        """GitLab's signing token signs id, time and body; one of several signatures must fit."""
        key = b"0123456789abcdef0123456789abcdef"
        whsec = Secret(f"whsec_{b64encode(key).decode()}")

        def sent(key: bytes, time: float = NOW, id: str = "d-1") -> dict[str, str]:
            text = f"{id}.{time:.0f}.".encode() + BODY
            digest = b64encode(hmac.new(key, text, "sha256").digest()).decode()
            return {
                "webhook_id": "d-1",
                "webhook_timestamp": f"{time:.0f}",
                "webhook_signature": f"v1,AAAA v1,{digest}",
            }

        self.assertProved(secret=whsec, **sent(key))
        self.assertProved(secret=whsec, **sent(whsec.reveal().encode()))
        self.assertProved(**sent(SECRET.reveal().encode()))
        self.assertWrong("webhook-signature came, and", **sent(key))
        self.assertWrong("webhook-signature came, and", secret=whsec, **sent(key, id="d-2"))
        self.assertWrong("webhook-signature came, and", secret=Secret("whsec_"), **sent(b""))
        self.assertWrong("is more than 5 minutes", secret=whsec, **sent(key, NOW - 301))
        alone = {"webhook_signature": "v1,AAAA"}
        self.assertWrong("came without webhook-id and webhook-timestamp", **alone)
        self.assertWrong("webhook-signature came", x_gitlab_token=SECRET.reveal(), **sent(key))


class TokenTests(ProofCase):
    def test_tokens(self):
        """The secret proves it as a bearer token, as GitLab's, and as the password of Basic."""
        secret = SECRET.reveal()
        for headers in (
            {"authorization": f"Bearer {secret}"},
            {"authorization": f"bearer  {secret}"},
            {"authorization": basic(f"anyone:{secret}")},
            {"authorization": basic(f":{secret}")},
            {"x_gitlab_token": secret},
            {"x_gitlab_token": secret, "authorization": "Bearer other"},
        ):
            self.assertProved(**headers)
        self.assertProved(secret=Secret("a:b"), authorization=basic("anyone:a:b"))

    def test_wrong(self):
        """A wrong proof is told what came and what is expected, without repeating it."""
        secret = SECRET.reveal()
        expected = "expected is a signature (X-Hub-Signature-256, "
        for headers, status, told in (
            ({}, 401, f"no proof came; {expected}"),
            ({"authorization": ""}, 401, "no proof came"),
            ({"authorization": "Bearer"}, 401, "Authorization came without a value"),
            ({"authorization": "hunter3"}, 401, "Authorization came without a value"),
            ({"authorization": f"Bearer {secret}x"}, 403, "Bearer came, and is not the secret"),
            ({"authorization": "Bearer ÿ"}, 403, "Bearer came, and is not the secret"),
            ({"authorization": f"Basic {secret}"}, 403, "its password is not the secret"),
            ({"authorization": basic(f"{secret}:x")}, 403, "its password is not the secret"),
            ({"authorization": f"Digest {secret}"}, 403, f"came with Digest; {expected}"),
            ({"authorization": "hunter3 x"}, 403, f"came with an unknown scheme; {expected}"),
            ({"x_gitlab_token": "x"}, 403, "X-Gitlab-Token came, and is not the secret"),
        ):
            found = self.refused(**headers)
            assert found is not None, headers
            self.assertEqual(found.status, status, headers)
            self.assertIn(told, found.reason)
            self.assertNotIn("hunter3", found.reason)
            self.assertEqual(found.reason.splitlines(), [found.reason])

    def test_not_ascii(self):
        """A secret in UTF-8 is proved by its bytes."""
        secret = Secret("pässword")
        sent = "Bearer pässword".encode().decode("latin-1")
        self.assertProved(secret=secret, authorization=sent)
        self.assertProved(secret=secret, authorization=basic("x:pässword"))
