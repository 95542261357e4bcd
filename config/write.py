"""The file that `ringmail init` writes: what was answered, commented, and nothing else.

Every value goes through tomlkit, so quotes, backslashes and line breaks in an answer stay inside their value. Secrets
are written as the answers give them: a reference, or the secret itself; whoever saves the file gives it mode 0600 then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import tomlkit
from tomlkit.items import Table


@dataclass(frozen=True, slots=True)
class MailboxAnswers:
    """`password` is a reference or the password itself; `smtp` may be empty: then nothing is sent from here."""

    name: str
    address: str
    imap: str
    smtp: str
    user: str
    password: str
    tls_ca: str = ""


@dataclass(frozen=True, slots=True)
class TelephonyAnswers:
    """A generic source: `secret` is a reference or the secret itself, `lines` our number → responsible user or ""."""

    name: str
    secret: str
    lines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    data_dir: str
    public_url: str
    default_region: str = "RU"
    language: str = "ru"
    timezone: str = "Europe/Moscow"
    listen: str = "127.0.0.1:8025"
    mailboxes: tuple[MailboxAnswers, ...] = ()
    telephony: tuple[TelephonyAnswers, ...] = ()


def render(answers: Answers) -> str:
    """The text of ringmail.toml. It loads without mistakes if the answers hold by themselves."""
    file = tomlkit.document()
    file.add(tomlkit.comment("Ringmail. Made by `ringmail init`; every option: docs/configuration.md."))
    file.add(tomlkit.comment("After a change: `ringmail check`, then SIGHUP or a restart."))
    file.add(tomlkit.nl())
    file.add("data_dir", _said(answers.data_dir, "everything we keep"))
    file.add("public_url", _said(answers.public_url, "what providers and people see"))
    file.add("default_region", _said(answers.default_region, "for phone numbers without a country"))
    file.add("language", _said(answers.language, "ru | en"))
    file.add("timezone", tomlkit.string(answers.timezone))
    http = tomlkit.table()
    http.add("listen", _said(answers.listen, "behind a proxy add trusted_proxies"))
    file.add("http", http)
    login = tomlkit.table()
    login.add("secret_key", _said("file:secret.key", "keep it with your backups"))
    file.add("login", login)
    if answers.mailboxes:
        mailboxes = tomlkit.aot()
        for mailbox in answers.mailboxes:
            mailboxes.append(_mailbox(mailbox))
        file.add("mailbox", mailboxes)
    if answers.telephony:
        sources = tomlkit.aot()
        for source in answers.telephony:
            sources.append(_telephony(source))
        file.add("telephony", sources)
    return tomlkit.dumps(file)


def _said(value: str, comment: str) -> tomlkit.items.String:
    written = tomlkit.string(value)
    written.comment(comment)
    return written


def _mailbox(answers: MailboxAnswers) -> Table:
    table = tomlkit.table()
    table.add("name", tomlkit.string(answers.name))
    table.add("address", tomlkit.string(answers.address))
    table.add("imap", tomlkit.string(answers.imap))
    if answers.smtp:
        table.add("smtp", tomlkit.string(answers.smtp))
    table.add("user", tomlkit.string(answers.user))
    table.add("password", tomlkit.string(answers.password))
    if answers.tls_ca:
        table.add("tls_ca", _said(answers.tls_ca, "added to the system's authorities"))
    return table


def _telephony(answers: TelephonyAnswers) -> Table:
    table = tomlkit.table()
    table.add("name", tomlkit.string(answers.name))
    table.add("type", _said("generic", f"posts to /hooks/{answers.name}, signed as Standard Webhooks"))
    table.add("secret", tomlkit.string(answers.secret))
    if answers.lines:
        lines = tomlkit.inline_table()
        for number, user in answers.lines.items():
            lines.append(tomlkit.key([number]), tomlkit.string(user))
        lines.comment("our numbers → responsible user")
        table.add("lines", lines)
    return table
