"""Reconciling: our awards against what the provider holds, and mending where they differ.

What the provider holds is read first and our side afterwards, so that whatever happens meanwhile is known
here by then. What looks amiss is looked up once more before anything is said of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

import structlog

from worker.awards import MOST_PER_CALL, Assertion, AwardState
from worker.comparison import Comparison, Difference, DifferenceKind, Held, Standing
from worker.errors import BadgeWorkerError, Refused
from worker.ports import Books, Provider

log = structlog.get_logger(__name__)

CHUNK = 200  # assertions or awards that are compared at a time
OVERLAP = timedelta(minutes=5)  # before the last reading: what the provider had not committed by then
SURPLUS = "awarded twice"  # the reason that a surplus assertion is revoked for
_NOT_FOUND = 404
_UNSENT = (AwardState.WAITING, AwardState.PENDING, AwardState.FAILED)

T = TypeVar("T")


class Reconciling:
    """Compares one issuer's awards; with `fix`, mends what can be mended without a person."""

    def __init__(self, books: Books, provider: Provider, issuer_id: str, *, fix: bool = False) -> None:
        self._books = books
        self._provider = provider
        self._issuer_id = issuer_id
        self._fix = fix
        self._classes: dict[str, str] = {}
        self._seen: set[str] = set()
        self._report = Comparison(issuer_id)

    def compare(self, *, full: bool = False) -> Comparison:
        """Compare what changed since the last time that nothing was left to mend, or everything.

        What the provider lost shows only when everything is compared: the first time, with `full`, or where
        the provider has no feed of changes.
        """
        try:
            self._pass(full=full)
        except BadgeWorkerError as error:
            self._report.problems.append(str(error))
        return self._report

    def _pass(self, *, full: bool) -> None:
        started = self._books.now()
        self._classes = self._books.badgeclasses(self._issuer_id)
        self._report.since = None if full else self._books.changed_to(self._issuer_id)
        changed_to = self._read_changes()
        if self._report.since is None or self._report.read == "lists":
            self._find_lost(started)
        if changed_to is not None and not self._report.remaining:
            self._books.note(self._issuer_id, changed_to)

    # What the provider holds

    def _read_changes(self) -> datetime | None:
        """Go through the changes and return up to when they go, or through the lists where there are none."""
        since = self._report.since
        try:
            changes = self._provider.changed(None if since is None else since - OVERLAP)
            for part in _parts(changes, CHUNK):
                self._compare(part)
        except Refused as error:
            if error.status != _NOT_FOUND or self._report.compared:
                raise
            self._report.read = "lists"
            self._read_lists()
            return None
        return changes.timestamp

    def _read_lists(self) -> None:
        for badgeclass in list(self._classes):
            try:
                for part in _parts(self._provider.held(badgeclass), CHUNK):
                    self._compare(part)
            except Refused as error:
                self._report.problems.append(str(error))
                del self._classes[badgeclass]  # nothing can be said about it

    def _compare(self, part: Sequence[Held]) -> None:
        ours = [each for each in part if each.badgeclass in self._classes]
        self._report.compared += len(part)
        self._seen.update(each.assertion.assertion_id for each in ours)
        linked = self._books.linked(self._issuer_id, [each.assertion.assertion_id for each in ours])
        unlinked: dict[tuple[str, str], dict[str, Held]] = defaultdict(dict)
        for each in ours:
            name = each.assertion.assertion_id
            if name in linked:
                self._compare_linked(each, linked[name])
            elif _is_live(each.assertion):  # what changes while pages are read may come twice
                unlinked[each.badgeclass, each.assertion.recipient][name] = each
        self._compare_unlinked({key: list(held.values()) for key, held in unlinked.items()})

    def _compare_linked(self, held: Held, award: Standing) -> None:
        assertion = held.assertion
        if assertion.revoked and award.state in {AwardState.ISSUED, AwardState.FAILED}:
            self._revoked_there(award, assertion)
        elif award.state is AwardState.REVOKED and self._is_still_live(held):
            self._note(
                self._difference(DifferenceKind.NOT_REVOKED, award, assertion, "revoked here alone"),
                lambda: self._books.revoke_again(award),
            )

    def _revoked_there(self, award: Standing, assertion: Assertion) -> None:
        detail = assertion.revocation_reason or "without a reason"
        self._note(
            self._difference(DifferenceKind.REVOKED_THERE, award, assertion, detail),
            lambda: self._books.revoked_there(award, detail),
        )

    # Assertions that no award is linked to

    def _compare_unlinked(self, unlinked: Mapping[tuple[str, str], Sequence[Held]]) -> None:
        by_badge: dict[str, set[str]] = defaultdict(set)
        for badgeclass, address in unlinked:
            by_badge[self._classes[badgeclass]].add(address)
        found = {
            badge_id: self._books.holders(badge_id, sorted(addresses))
            for badge_id, addresses in by_badge.items()
        }
        for (badgeclass, address), several in unlinked.items():
            badge_id = self._classes[badgeclass]
            self._place(several, found[badge_id].get(address), badge_id)

    def _place(self, several: Sequence[Held], award: Standing | None, badge_id: str) -> None:
        """Say whose these live assertions of one address and badge are.

        One that the award is linked to by now was linked since we asked: it is where it should be.
        """
        if award is not None:
            several = [each for each in several if each.assertion.assertion_id != award.assertion_id]
        if award is None or award.state is None:
            for each in several:
                self._foreign(each.assertion, award, badge_id)
        elif award.assertion_id is None:
            self._link(several, award)
        else:
            for each in several:
                self._second(each, award)

    def _foreign(self, assertion: Assertion, award: Standing | None, badge_id: str, detail: str = "") -> None:
        """Report an assertion that is none of our doing; a person must say what becomes of it."""
        if award is None:
            kind, user_id, detail = DifferenceKind.UNKNOWN, None, "no user of ours has this address"
        else:
            kind, user_id = DifferenceKind.NO_AWARD, award.user_id
        detail = detail or "the user has not earned it"
        self._note(Difference(self._issuer_id, kind, badge_id, user_id, assertion.assertion_id, detail))

    def _link(self, several: Sequence[Held], award: Standing) -> None:
        """Link an award that was not sent to its assertion; one that is being sent finds it by itself."""
        if award.state is AwardState.ISSUING or (award.uncertain and award.state is not AwardState.FAILED):
            return
        first, *others = sorted(several, key=lambda each: not award.is_of_its_instant(each.assertion))
        if award.state not in _UNSENT:
            for each in several:
                self._foreign(each.assertion, award, award.badge_id, f"the award is {award.state}")
            return
        linked = self._note(
            self._difference(DifferenceKind.UNLINKED, award, first.assertion, f"the award is {award.state}"),
            lambda: self._books.adopt(self._issuer_id, award, first),
        )
        for each in others:  # where somebody else was quicker, they may have chosen one of these
            self._surplus(award, each.assertion, certain=linked)

    def _second(self, held: Held, award: Standing) -> None:
        """Judge a live assertion of an award that is linked to another one, perhaps at another address."""
        assertion = held.assertion
        if award.state is not AwardState.ISSUED:
            self._foreign(assertion, award, award.badge_id, f"the award is {award.state}")
            return
        address, badgeclass = award.recipient or assertion.recipient, award.badgeclass or held.badgeclass
        there = self._held_by(badgeclass, address)
        own = there.get(award.assertion_id or "")
        if own is None and award.assertion_id not in self._seen:
            self._note(
                self._difference(DifferenceKind.LOST, award, assertion, "another one is there"),
                lambda: self._books.adopt(self._issuer_id, award, held),
            )
        elif own is not None and not _is_live(own):
            self._foreign(assertion, award, award.badge_id, "the award's own is revoked or has expired")
        elif own is None or (address, badgeclass) != (assertion.recipient, held.badgeclass):
            # Somebody may have meant it so.
            detail = "the award's own is at another address, or of another badge class"
            self._note(self._difference(DifferenceKind.DUPLICATE, award, assertion, detail))
        elif assertion.assertion_id in there:
            self._surplus(award, assertion)

    def _surplus(self, award: Standing, assertion: Assertion, *, certain: bool = True) -> None:
        self._note(
            self._difference(DifferenceKind.DUPLICATE, award, assertion, "beside the one of the award"),
            (lambda: self._revoke(assertion)) if certain else None,
        )

    def _revoke(self, assertion: Assertion) -> bool | str:
        """Revoke a surplus assertion, unless an award was linked to it since it was read."""
        if self._books.linked(self._issuer_id, [assertion.assertion_id]):
            return False
        (refusal,) = self._provider.revoke([(assertion.assertion_id, SURPLUS)], lambda: None)
        return True if refusal is None else refusal.words

    # Awards that the provider lost

    def _find_lost(self, started: datetime) -> None:
        """Look up every award that was sent before we began to read, and whose assertion was not read."""
        after = None
        while part := self._books.issued(self._issuer_id, started, after, CHUNK):
            after = (part[-1].user_id, part[-1].badge_id)
            missing: dict[str, list[Standing]] = defaultdict(list)
            for award in part:
                known = award.recipient and award.badgeclass in self._classes
                if known and award.badgeclass and award.assertion_id not in self._seen:
                    missing[award.badgeclass].append(award)
            for badgeclass, awards in missing.items():
                for some in _parts(awards, MOST_PER_CALL):
                    self._look_up(badgeclass, some)

    def _look_up(self, badgeclass: str, awards: Sequence[Standing]) -> None:
        try:
            found = self._provider.find(badgeclass, [award.recipient or "" for award in awards])
        except Refused as error:
            self._report.problems.append(str(error))
            return
        for award in awards:
            theirs = [each for each in found if each.recipient == award.recipient]
            own = next((each for each in theirs if each.assertion_id == award.assertion_id), None)
            if own is None:
                self._lost(award, badgeclass, [each for each in theirs if _is_live(each)])
            elif own.revoked:
                self._revoked_there(award, own)

    def _lost(self, award: Standing, badgeclass: str, others: Sequence[Assertion]) -> None:
        """Note that an assertion is gone: another one takes its place, else it is issued again.

        If it could not be revoked, nothing is left to revoke.
        """
        whose = (award.badge_id, award.user_id, award.assertion_id)
        gone = Difference(self._issuer_id, DifferenceKind.LOST, *whose, "to be issued again")
        if award.state is AwardState.FAILED:
            self._note(replace(gone, detail="nothing is left to revoke"), lambda: self._books.lose(award))
        elif others:
            found = Held(badgeclass, others[0])
            taken = replace(gone, detail="another one is there")
            self._note(taken, lambda: self._books.adopt(self._issuer_id, award, found))
        else:
            self._note(gone, lambda: self._books.lose(award))

    # Shared

    def _held_by(self, badgeclass: str, address: str) -> dict[str, Assertion]:
        return {each.assertion_id: each for each in self._provider.find(badgeclass, [address])}

    def _is_still_live(self, held: Held) -> bool:
        """Say whether an assertion was not revoked since it was read, either."""
        if not _is_live(held.assertion):
            return False
        there = self._held_by(held.badgeclass, held.assertion.recipient)
        found = there.get(held.assertion.assertion_id)
        return found is not None and _is_live(found)

    def _difference(
        self, kind: DifferenceKind, award: Standing, assertion: Assertion, detail: str
    ) -> Difference:
        return Difference(
            self._issuer_id, kind, award.badge_id, award.user_id, assertion.assertion_id, detail
        )

    def _note(self, found: Difference, mend: Callable[[], bool | str] | None = None) -> bool:
        """Keep a difference; mend it if that is wanted and there is a way. Say whether it is mended."""
        try:
            if self._fix and mend is not None:
                found = found.mend(mend())
        except Refused as error:
            found = found.mend(error.words)
        except BadgeWorkerError as error:  # the comparison breaks off, but what it found is told
            found = found.mend(str(error))
            raise
        finally:
            self._report.differences.append(found)
            facts = {"badge": found.badge_id, "user": found.user_id, "assertion": found.assertion_id}
            what = {"kind": found.kind.value, "mended": found.mended}
            log.info("difference.found", issuer=found.issuer, **what, **facts)
        return found.mended


def _parts(whole: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(whole)
    while part := list(islice(iterator, size)):
        yield part


def _is_live(assertion: Assertion) -> bool:
    good = assertion.expires is None or assertion.expires > datetime.now(UTC)
    return good and not assertion.revoked
