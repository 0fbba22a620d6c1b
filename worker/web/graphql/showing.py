"""From what browsing found to what the schema shows."""

from __future__ import annotations

from datetime import tzinfo

import strawberry

from worker.browsing import Progress
from worker.catalogue import BadgeStatus, ListedBadge, Page, Selection
from worker.rules.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    LpComplete,
    LpEnroll,
    LpPassed,
    RegisteredFor,
    SocialConnection,
    SocialEngagement,
)
from worker.web.graphql import types
from worker.web.graphql.cursors import Cursors

_LARGEST = 2**31 - 1  # of GraphQL's Int: seconds of more than 68 years are shown as that


def show_page(
    page: Page, progress: Progress, cursors: Cursors, selection: Selection, zone: tzinfo
) -> types.BadgeConnection:
    """Return a page as the schema shows it."""
    edges = [
        types.BadgeEdge(
            cursor=types.Cursor(cursors.write(badge.places[selection.key])),
            node=show_badge(badge, progress, zone),
        )
        for badge in page.badges
    ]
    around = types.PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return types.BadgeConnection(edges=edges, page_info=around, total_items=page.total)


def show_badge(badge: ListedBadge, progress: Progress, zone: tzinfo) -> types.Badge:
    """Return a badge as the schema shows it to one user."""
    earned_at = progress.user.holdings.earned_at.get(badge.badge_id)
    return types.Badge(
        id=strawberry.ID(badge.badge_id),
        title=badge.title,
        picture=types.MediaImage(url=badge.picture),
        status=BadgeStatus.NOT_EARNED if earned_at is None else BadgeStatus.EARNED,
        earning_criteria=_show(badge.criterion, progress),
        earned_at=earned_at,
        zone=zone,
    )


def _show(criterion: Criterion, progress: Progress) -> types.BadgeEarningCriteria:
    match criterion:
        case AllOf() | AnyOf():
            rules = types.BadgeEarningCriteriaRule
            return types.BadgeEarningCriteriaComposite(
                rule=rules.ALL_OF if isinstance(criterion, AllOf) else rules.ANY_OF,
                criteria=[_show(each, progress) for each in criterion.criteria],
            )
        case SocialConnection() | SocialEngagement() | RegisteredFor():
            return _show_number(criterion, progress)
        case _:
            return _show_path(criterion)


def _show_path(criterion: LpComplete | LpPassed | LpEnroll) -> types.BadgeEarningCriteria:
    path = strawberry.ID(criterion.learning_path_id)
    match criterion:
        case LpComplete():
            return types.BadgeEarningCriteriaLpComplete(learning_path_id=path)
        case LpPassed():
            return types.BadgeEarningCriteriaLpPassed(learning_path_id=path)
        case LpEnroll():
            return types.BadgeEarningCriteriaLpEnroll(learning_path_id=path)


def _show_number(
    criterion: SocialConnection | SocialEngagement | RegisteredFor, progress: Progress
) -> types.BadgeEarningCriteria:
    threshold, present = min(criterion.threshold, _LARGEST), min(progress.present(criterion), _LARGEST)
    match criterion:
        case SocialConnection():
            return types.BadgeEarningCriteriaSocialConnection(
                threshold=threshold,
                current_threshold=present,
                period=None if criterion.period is None else min(criterion.period, _LARGEST),
            )
        case SocialEngagement():
            return types.BadgeEarningCriteriaSocialEngagement(threshold=threshold, current_threshold=present)
        case RegisteredFor():
            return types.BadgeEarningCriteriaRegisteredFor(threshold=threshold, current_threshold=present)
