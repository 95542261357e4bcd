"""Whom an interaction is shown with: the other side, never one of us."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from interactions.views import ContactView, InteractionView, Named, ParticipantView

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SHOP = ContactView(UUID(int=1), "partner", 'Магазин "Бытовая техника (Москва)"')
IVAN = ContactView(UUID(int=2), "contact_person", "Иван", Named(SHOP.id, SHOP.name))
ANNA = ContactView(UUID(int=3), "user", "Анна")


def participant(
    address: str, contact: ContactView | None = None, role: str = "to", own: bool = False
) -> ParticipantView:
    rule = "email_exact" if contact else "none"
    return ParticipantView(role, "", address, "email", address, own, contact, rule, "automatic", "exact")


def interaction(*participants: ParticipantView) -> InteractionView:
    return InteractionView(
        id=UUID(int=9), number=1, kind="email", direction="incoming", occurred_at=AT, created_at=AT, updated_at=AT, version=1,
        topic="", description="", comment=None, excerpt="", importance="normal", external_ref=None, external_id=None,
        source=None, source_type=None, author=None, responsible=None, reviewed=False, reviewed_at=None, reviewed_by=None,
        review_after=None, tags=(), extra={}, block={}, chain_id=UUID(int=8), root_id=UUID(int=9), chain_size=1, root_topic="",
        link_rule="root", link_origin="automatic", link_flags=(), subject=None, has_attachments=False,
        participants=participants,
    )  # fmt: skip


STRANGER = participant("stranger@x.example")
CUSTOMER = participant("ivan@customer.example", IVAN)
OURS = participant("sales@example.org", own=True)
COLLEAGUE = participant("anna@example.org", ANNA)
EXTENSION = participant("101", role="employee")


@pytest.mark.parametrize(
    ("participants", "contact", "party"),
    [
        ([], None, None),
        ([OURS, COLLEAGUE, EXTENSION], None, None),
        ([STRANGER, OURS], None, STRANGER),
        ([OURS, STRANGER], None, STRANGER),
        ([CUSTOMER, OURS], IVAN, CUSTOMER),
        ([COLLEAGUE, CUSTOMER], IVAN, CUSTOMER),
        ([STRANGER, CUSTOMER], IVAN, CUSTOMER),
        ([CUSTOMER, participant("shop@x.example", SHOP)], IVAN, CUSTOMER),
        ([participant("ivan@customer.example", IVAN, own=True), STRANGER], None, STRANGER),
    ],
)
def test_the_party_is_the_other_side(
    participants: list[ParticipantView], contact: ContactView | None, party: ParticipantView | None
) -> None:
    view = interaction(*participants)

    assert view.contact == contact
    assert view.party == party


@pytest.mark.parametrize(
    ("one", "expected"),
    [(OURS, True), (COLLEAGUE, True), (EXTENSION, True), (CUSTOMER, False), (STRANGER, False)],
)
def test_own_addresses_users_and_employees_are_ours(one: ParticipantView, expected: bool) -> None:
    assert one.is_ours is expected
