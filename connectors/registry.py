"""Which connector serves which table of the configuration: the only place that knows them all.

The type checker proves the role of each here. A type that is read from the file but not built yet gives None, and
`config.not_built` says so to a person.
"""

import ssl
from collections.abc import Callable, Mapping

from config.mail_settings import Mailbox, MailOAuth
from config.secrets_at import SecretText
from config.telephony_settings import Telephony
from connectors.base import Receiver, Refused, Source
from connectors.mail.smtp import SmtpServer, SmtpSettings
from connectors.mail.source import ImapSource, MailboxSettings
from connectors.oauth import OAuthSettings, Tokens, Vault, settings_for
from connectors.telephony.ami import PORT, TLS_PORT
from connectors.telephony.asterisk import Asterisk, AsteriskSettings
from connectors.telephony.generic import Generic, GenericSettings
from connectors.telephony.mango import Mango, MangoSettings
from connectors.telephony.megafon import Megafon, MegafonSettings
from connectors.telephony.plivo import Plivo, PlivoSettings
from connectors.telephony.sms_ru import SmsRu, SmsRuSettings
from connectors.telephony.twilio import Twilio, TwilioSettings
from connectors.telephony.uis import Uis, UisSettings
from connectors.telephony.zadarma import Zadarma, ZadarmaSettings


def receiver_for(table: Telephony, region: str, public_url: str = "") -> Receiver | None:
    """The receiver of a telephony source; None where its provider is not built yet, or posts nothing. `public_url` is
    where the provider finds us: some sign it. Raises Refused where its secret or map can't be used."""
    make = RECEIVERS.get(table.type)
    try:
        return make(table, region, f"{public_url}/hooks/{table.name}") if make else None
    except ValueError as error:
        raise Refused(f"the telephony source {table.name!r} can't be used: {error}") from None


def _generic(table: Telephony, region: str, _: str) -> Receiver:
    secrets = (table.secret.reveal(),) if table.secret else ()
    return Generic(
        GenericSettings(
            table.name, secrets, table.allow_unsigned, dict(table.map), region, table.timezone, table.allow_from
        )
    )


def _mango(table: Telephony, _: str, __: str) -> Receiver:
    return Mango(MangoSettings(table.name, _text(table.api_key), _text(table.api_salt), table.allow_from))


def _twilio(table: Telephony, _: str, address: str) -> Receiver:
    ours = frozenset((*table.lines, *table.extensions))
    return Twilio(
        TwilioSettings(table.name, table.account_sid, _text(table.auth_token), address, ours, table.allow_from)
    )


def _megafon(table: Telephony, _: str, __: str) -> Receiver:
    return Megafon(MegafonSettings(table.name, _text(table.secret), table.allow_from))


def _uis(table: Telephony, _: str, __: str) -> Receiver:
    return Uis(UisSettings(table.name, _text(table.secret), table.timezone, table.allow_from))


def _zadarma(table: Telephony, _: str, __: str) -> Receiver:
    return Zadarma(ZadarmaSettings(table.name, _text(table.secret), table.allow_from))


def _sms_ru(table: Telephony, _: str, __: str) -> Receiver:
    return SmsRu(SmsRuSettings(table.name, _text(table.api_id or table.api_key), table.allow_from))


def _plivo(table: Telephony, _: str, address: str) -> Receiver:
    ours = frozenset((*table.lines, *table.extensions))
    return Plivo(PlivoSettings(table.name, _text(table.auth_token), address, ours, table.allow_from))


RECEIVERS: Mapping[str, Callable[[Telephony, str, str], Receiver]] = {
    "generic": _generic,
    "mango": _mango,
    "megafon": _megafon,
    "plivo": _plivo,
    "sms_ru": _sms_ru,
    "twilio": _twilio,
    "uis": _uis,
    "zadarma": _zadarma,
}


def _text(secret: SecretText | None) -> str:
    return secret.reveal() if secret else ""


def telephony_source(table: Telephony) -> Source | None:
    """The source of a PBX that we connect to; None where the provider posts to us, or is not built yet. Raises Refused
    for a bad `tls_ca`."""
    make = SOURCES.get(table.type)
    return make(table) if make else None


def _asterisk(table: Telephony) -> Source:
    port = table.port or PORT
    is_tls = table.tls_ca is not None or port == TLS_PORT
    return Asterisk(
        AsteriskSettings(
            name=table.name,
            host=str(table.host),
            port=port,
            user=table.user,
            password=_text(table.password),
            ssl_context=(_context(table) or ssl.create_default_context()) if is_tls else None,
            extensions=frozenset(table.extensions),
        )
    )


SOURCES: Mapping[str, Callable[[Telephony], Source]] = {
    "asterisk": _asterisk,
}


def mailbox_source(table: Mailbox, vault: Vault | None = None) -> ImapSource | None:
    """The source of a mailbox, its tokens kept in the vault; None where it has no way of logging in. Raises Refused for a
    bad `tls_ca`, or for tokens that can't be fetched with what is set."""
    if table.password is None and table.oauth is None:
        return None
    return ImapSource(
        MailboxSettings(
            name=table.name,
            address=table.address,
            host=table.imap.host,
            port=table.imap.port,
            user=table.user,
            password=table.password.reveal() if table.password else "",
            oauth=_oauth(table.oauth) if table.oauth else None,
            vault=vault,
            tls=table.imap.tls,
            aliases=table.aliases,
            folders=table.folders,
            since=table.since,
            push=table.mode == "push",
            poll_seconds=table.poll_seconds,
            message_bytes_max=table.message_bytes_max,
            bytes_a_day=table.bytes_a_day,
            junk_of_contacts=table.junk == "known_contacts",
            headers_only=table.privacy == "headers_only",
            handled_elsewhere=table.handled_elsewhere,
            connections=table.connections,
            ssl_context=_context(table),
        )
    )


def _oauth(table: MailOAuth) -> OAuthSettings:
    return settings_for(
        table.provider,
        table.client_id,
        table.client_secret.reveal() if table.client_secret else "",
        table.refresh_token.reveal() if table.refresh_token else "",
        table.token_url or "",
        table.scope,
        table.tenant,
    )


def mailbox_sender(table: Mailbox, vault: Vault | None = None) -> SmtpServer | None:
    """The submission server of a mailbox, logged in to as to its IMAP server; None where none is set. Raises Refused for a
    bad `tls_ca`, or for tokens that can't be fetched with what is set."""
    if table.smtp is None or (table.password is None and table.oauth is None):
        return None
    server, password = table.smtp, table.password.reveal() if table.password else ""
    tokens = Tokens(_oauth(table.oauth), source=table.name, vault=vault) if table.oauth else None
    return SmtpServer(
        SmtpSettings(server.host, server.port, table.user, password, server.tls, _context(table), tokens=tokens)
    )


def _context(table: Mailbox | Telephony) -> ssl.SSLContext | None:
    if table.tls_ca is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(table.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            f"the source {table.name!r} names the authority {table.tls_ca}, which can't be read: {error}. "
            "It has to be a file of certificates in PEM form."
        ) from None
    return context
