"""What the rest of the daemon needs of the configuration, as plain values: who we are, which sources there are."""

from collections.abc import Iterable, Mapping

from config.program_settings import Rule as RuleTable
from config.settings import Settings
from connectors.base import Receiver
from connectors.registry import receiver_for
from daemon.erasing import known_keys
from daemon.intake.context import IntakeSettings, SourceSettings
from interactions.addresses import email_key
from interactions.never_log import NeverLog
from interactions.phones import phone_key
from interactions.records import AddressKind, Key
from interactions.reply_tokens import signing_key
from interactions.rules import Rule, Sets, When


def intake_settings(settings: Settings) -> IntakeSettings:
    """The part of the configuration that decisions rest on."""
    sources: dict[str, SourceSettings] = {}
    own: set[Key | None] = set()
    for mailbox in settings.mailboxes:
        sources[mailbox.name] = SourceSettings(
            mailbox.name, mailbox.responsible, is_private=mailbox.privacy == "private"
        )
        own.update(email_key(address) for address in (mailbox.address, *mailbox.aliases))
    for phone in settings.telephony:
        lines = {phone_key(number, settings.default_region): user for number, user in phone.lines.items()}
        known = {key: user for key, user in lines.items() if key is not None}
        sources[phone.name] = SourceSettings(
            phone.name,
            None,
            known,
            dict(phone.extensions),
            review_answered=phone.review_answered,
            keep_internal=phone.internal_calls == "keep",
            keep_recordings=phone.recordings != "never",
            store_recordings=phone.recordings == "store",
        )
        own.update(known)
    return IntakeSettings(
        rules=tuple(rule_of(one, settings.default_region) for one in settings.rules),
        region=settings.default_region,
        join_hours=settings.chains.join_hours,
        sources=sources,
        own=frozenset(key for key in own if key is not None),
        never_log=NeverLog(settings.mail.never_log),
        auth_servers=frozenset(settings.mail.auth_servers),
        unproved_claims=settings.mail.unproved == "claims",
        strangers_apart=settings.chains.stranger == "new_chain",
        signing_key=signing_key(settings.login.secret_key.reveal() if settings.login.secret_key else ""),
        review_flags=settings.features.review_flags,
        auto_create=settings.contacts.auto_create,
        erasure_keys=known_keys(settings),
    )


def rule_of(table: RuleTable, region: str) -> Rule:
    """A rule with its addresses, numbers and texts in the form in which they are compared."""
    when, sets = table.when, table.sets
    responsible = email_key(sets.responsible) if sets.responsible else None
    return Rule(
        When(
            sources=frozenset(when.source),
            senders=_keys(when.from_, region),
            domains=frozenset(one.casefold().removeprefix("@") for one in when.domain),
            topics=tuple(one.casefold() for one in when.topic),
            marks=frozenset(when.mark),
            lines=_keys(when.line, region),
            directions=frozenset(when.direction),
            types=frozenset(when.type),
        ),
        Sets(
            responsible.value if responsible else None,
            sets.reviewed,
            sets.importance,
            tuple(sets.tags),
            sets.on_control,
            sets.skip is True,
        ),
    )


def _keys(texts: Iterable[str], region: str) -> frozenset[Key]:
    """Addresses and numbers as they are compared. What is neither must match nothing, rather than anything."""
    found = {one: email_key(one) if "@" in one else phone_key(one, region) for one in texts if one != "*"}
    return frozenset(key or Key(AddressKind.OTHER, text) for text, key in found.items())


def source_rows(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, kind and type of every source of the configuration."""
    return [(mailbox.name, "mailbox", "imap") for mailbox in settings.mailboxes] + [
        (phone.name, "telephony", phone.type) for phone in settings.telephony
    ]


def receivers(settings: Settings) -> Mapping[str, Receiver]:
    """Who reads what is posted to /hooks/NAME. Raises Refused."""
    address = public_url(settings)
    found = {phone.name: receiver_for(phone, settings.default_region, address) for phone in settings.telephony}
    return {name: receiver for name, receiver in found.items() if receiver is not None}


def public_url(settings: Settings) -> str:
    """Where people and providers find us, without a slash at the end."""
    return settings.public_url or f"http://{settings.http.listen}"
