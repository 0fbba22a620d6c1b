"""`badge-worker badgr`: an issuer's own Badgr service, for operators who set it up or look after it.

Everything here speaks to the provider alone; nothing of it changes our awards.
"""

from __future__ import annotations

import typer

from worker.cli.badgr import assertions, badgeclasses, claim_codes, issuers, tokens

app = typer.Typer(
    no_args_is_help=True,
    help="An issuer's Badgr service itself: issuers, badge classes, claim codes, assertions, tokens. "
    "Each call counts for the issuer's rate limit and waits for room in it.",
)
app.add_typer(issuers.app, name="issuers")
app.add_typer(badgeclasses.app, name="badgeclasses")
app.add_typer(claim_codes.app, name="claim-codes")
app.add_typer(assertions.app, name="assertions")
app.add_typer(tokens.app, name="tokens")
