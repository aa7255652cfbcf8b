"""Tests of :mod:`xbot.webhooks.proof`."""

from twisted.trial.unittest import SynchronousTestCase

from xbot.config.settings import Secret
from xbot.webhooks.proof import Proof, prove

SECRET = Secret("It's a Secret to Everybody")
BODY = b"Hello, World!"

#: GitHub's own example ("Validating webhook deliveries").
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


class ProofTests(SynchronousTestCase):
    def prove(self, body=BODY, secret=SECRET, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return prove(secret, named, body)

    def test_signatures(self):
        """GitHub's signature and Gitea's prove it, in either case of their digits."""
        for headers in (
            {"x_hub_signature_256": f"sha256={DIGEST}"},
            {"x_gitea_signature": DIGEST},
            {"x_gitea_signature": DIGEST.upper()},
            {"x_gitea_signature": DIGEST, "x_hub_signature_256": f"sha256={DIGEST}"},
        ):
            self.assertEqual(self.prove(**headers), Proof.GIVEN, headers)

    def test_wrong_signatures(self):
        """Another body, digest, algorithm or secret proves nothing, whatever else is sent."""
        good = f"sha256={DIGEST}"
        bearer = f"Bearer {SECRET.reveal()}"
        self.assertEqual(self.prove(BODY + b"!", x_hub_signature_256=good), Proof.WRONG)
        self.assertEqual(self.prove(secret=Secret("x"), x_gitea_signature=DIGEST), Proof.WRONG)
        for bad in (DIGEST, f"sha1={DIGEST}", "sha256=", good[:-1], good + "0", "ÿ" * 70, " "):
            self.assertEqual(self.prove(x_hub_signature_256=bad), Proof.WRONG, bad)
            both = self.prove(x_hub_signature_256=bad, x_gitea_signature=DIGEST)
            self.assertEqual(both, Proof.WRONG)
            told = self.prove(x_hub_signature_256=bad, authorization=bearer)
            self.assertEqual(told, Proof.WRONG)

    def test_bearer(self):
        """A bearer token proves it; another scheme or token does not, and none is missing."""
        token = SECRET.reveal()
        for given, proof in (
            (f"Bearer {token}", Proof.GIVEN),
            (f"bearer  {token}", Proof.GIVEN),
            (f"Basic {token}", Proof.WRONG),
            (f"Bearer {token}x", Proof.WRONG),
            ("Bearer ÿ", Proof.WRONG),
            ("Bearer", Proof.MISSING),
            ("", Proof.MISSING),
        ):
            self.assertEqual(self.prove(authorization=given), proof, given)
        self.assertEqual(self.prove(), Proof.MISSING)

    def test_not_ascii(self):
        """A secret in UTF-8 is proved by its bytes."""
        sent = "Bearer pässword".encode().decode("latin-1")
        self.assertEqual(self.prove(secret=Secret("pässword"), authorization=sent), Proof.GIVEN)
