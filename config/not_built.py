"""What can be written into ringmail.toml already, but is not built yet: `ringmail check` and `run` say it plainly.

The configuration is read whole from the first version on, so that a file never has to change its shape. Whoever builds
one of these takes its lines out here; the test of this module then wants its own line gone too.
"""

from collections.abc import Iterator

from config.mail_settings import Mailbox
from config.settings import Settings
from config.telephony_settings import Telephony

TELEPHONY_BUILT = frozenset({"asterisk", "generic", "mango", "megafon", "plivo", "sms_ru", "twilio", "uis", "zadarma"})
NAMES_RECORDINGS = frozenset({"mango", "zadarma"})


def not_built_yet(settings: Settings) -> list[str]:
    """One sentence for each setting that is used and has no effect yet, with its dotted path, in order of the file."""
    return [f"{path}: {what}; this is not built yet and has no effect" for path, what in _used(settings)]


def _used(settings: Settings) -> Iterator[tuple[str, str]]:
    single = (
        (
            "holidays" in settings.hours.model_fields_set and settings.hours.holidays != "",
            "hours.holidays",
            "leaving holidays out of answer times",
        ),
        (
            "recordings_days" in settings.retention.model_fields_set,
            "retention.recordings_days",
            "deleting old recordings",
        ),
        (settings.retention.interactions is not None, "retention.interactions", "deleting old interactions"),
        (settings.login.oidc is not None, "login.oidc", "sign-in by an identity provider"),
    )
    yield from ((path, what) for used, path, what in single if used)
    for index, mailbox in enumerate(settings.mailboxes):
        for key, what in _of_mailbox(mailbox):
            yield f"mailbox[{index}].{key} ({mailbox.name})", what
    for index, source in enumerate(settings.telephony):
        for key, what in _of_telephony(source):
            yield f"telephony[{index}].{key} ({source.name})", what
    for index, subscriber in enumerate(settings.subscribers):
        yield f"subscriber[{index}] ({subscriber.name})", "telling other programs of changes"
    for index, directory in enumerate(settings.directories):
        yield f"directory[{index}] ({directory.name})", f"reading contacts from {directory.type}"


def _of_mailbox(mailbox: Mailbox) -> Iterator[tuple[str, str]]:
    if mailbox.oauth is not None and mailbox.smtp is not None:
        yield "oauth", "sending with tokens (reading works)"


def _of_telephony(source: Telephony) -> Iterator[tuple[str, str]]:
    if source.type not in TELEPHONY_BUILT:
        yield "type", f"the provider {source.type!r}"
    if source.mode == "poll":
        yield "mode", "fetching the provider's report of calls"
    if "recordings" in source.model_fields_set and source.recordings == "store" and source.type in NAMES_RECORDINGS:
        yield "recordings", f"asking {source.type} for the links of recordings, which it only names"
