"""What the words of the records are called on the pages: types, directions, results, rules, states.

`msgid` marks a text for the catalogues; the page translates it when it shows it. What has no label shows as it is: a
connector may bring a word that is newer than this table.
"""

from collections.abc import Mapping


def msgid(text: str) -> str:
    """Marks a message; says the same."""
    return text


KINDS = {
    "phone_call": msgid("Phone call"),
    "meeting": msgid("Meeting"),
    "email": msgid("E-mail"),
    "sms": msgid("SMS message"),
    "planned": msgid("Planned interaction"),
}
KINDS_MANY = {
    "phone_call": msgid("Calls"),
    "email": msgid("Mail"),
    "sms": msgid("SMS"),
    "meeting": msgid("Meetings"),
    "planned": msgid("Plans"),
}
DIRECTIONS = {
    "incoming": msgid("Incoming"),
    "outgoing": msgid("Outgoing"),
    "internal": msgid("Internal"),
}
TITLES = {
    ("phone_call", "incoming"): msgid("Incoming call"),
    ("phone_call", "outgoing"): msgid("Outgoing call"),
    ("phone_call", "internal"): msgid("Internal call"),
    ("email", "incoming"): msgid("Incoming e-mail"),
    ("email", "outgoing"): msgid("Outgoing e-mail"),
    ("email", "internal"): msgid("Internal e-mail"),
    ("sms", "incoming"): msgid("Incoming SMS"),
    ("sms", "outgoing"): msgid("Outgoing SMS"),
    ("sms", "internal"): msgid("Internal SMS"),
}
MISSED = msgid("Missed call")
EVERYTHING = msgid("All")
MINE = msgid("Mine")
UNMATCHED = msgid("Contact not found")
AMBIGUOUS = msgid("Several contacts possible")
ALL_TYPES = msgid("All types")
RESULTS = {
    "answered": msgid("answered"),
    "missed": msgid("missed"),
    "no_answer": msgid("no answer"),
    "busy": msgid("busy"),
    "rejected": msgid("rejected"),
    "cancelled": msgid("cancelled"),
    "voicemail": msgid("voicemail"),
    "failed": msgid("failed"),
    "blocked": msgid("blocked"),
    "unknown": msgid("unknown"),
}
CALL_STATES = {
    "new": msgid("a new call"),
    "ringing": msgid("ringing"),
    "in_progress": msgid("in conversation"),
    "ended": msgid("ended"),
}
STATES = {
    "received": msgid("received"),
    "queued": msgid("queued"),
    "sent": msgid("sent"),
    "delivered": msgid("delivered"),
    "failed": msgid("could not be sent"),
    "unknown": msgid("unknown"),
    "open": msgid("open"),
    "done": msgid("done"),
    "cancelled": msgid("called off"),
    "planned": msgid("planned"),
    "held": msgid("held"),
}
IMPORTANCES = {
    "low": msgid("Low"),
    "normal": msgid("Normal"),
    "high": msgid("High"),
}
ROLES = {
    "from": msgid("From"),
    "to": msgid("To"),
    "cc": msgid("Copy"),
    "bcc": msgid("Hidden copy"),
    "reply_to": msgid("Reply to"),
    "subscriber": msgid("Other side of the call"),
    "employee": msgid("Employee"),
    "attendee": msgid("Attendee"),
    "organizer": msgid("Organizer"),
}
CONTACT_KINDS = {
    "partner": msgid("Partner"),
    "contact_person": msgid("Contact person"),
    "individual": msgid("Individual"),
    "user": msgid("User"),
}
SUBJECT_KINDS = {
    "deal": msgid("Deal"),
    "claim": msgid("Customer claim"),
    "campaign": msgid("Campaign"),
}
SUBJECT_STATES = {
    "open": msgid("in progress"),
    "won": msgid("won"),
    "lost": msgid("lost"),
    "closed": msgid("closed"),
}
RULES = {
    "email_exact": msgid("linked by e-mail %(key)s"),
    "phone_exact": msgid("linked by phone %(key)s"),
    "phone_variant": msgid("linked by another spelling of the number %(key)s"),
    "partner_of_all": msgid("several persons of this partner share %(key)s"),
    "domain": msgid("suggested by the domain of %(key)s"),
    "signature": msgid("suggested by a signature"),
    "manual": msgid("chosen by a person"),
    "remembered": msgid("remembered from an earlier choice for %(key)s"),
    "own": msgid("one of us"),
}
RULES_WITH_KEY = frozenset(rule for rule, text in RULES.items() if "%(key)s" in text)
CONFIDENCES = {
    "exact": msgid("exact"),
    "variant": msgid("probable"),
    "suggested": msgid("a suggestion"),
    "manual": msgid("by hand"),
    "none": msgid("none"),
}
ORIGINS = {"automatic": msgid("automatic"), "manual": msgid("by hand")}
LINKS = {
    "token": msgid("a reply to our own message"),
    "in_reply_to": msgid("a reply to a mail of the chain"),
    "references": msgid("refers to a mail of the chain"),
    "child_first": msgid("the mail that was answered here"),
    "thread_index": msgid("the same thread by the mail program"),
    "provider_thread": msgid("the same thread by the mail provider"),
    "subject_guess": msgid("the same topic and party"),
    "recent_party": msgid("the same party shortly before"),
    "based_on": msgid("made on the basis of another interaction"),
    "manual": msgid("put there by a person"),
    "root": msgid("the first of its chain"),
}
FLAGS = {
    "provisional": msgid("for the time being"),
    "stranger": msgid("somebody new in the chain"),
    "topic_changed": msgid("the topic changed"),
    "claims": msgid("the sender is not proved"),
}
MARKS = {
    "auto_reply": msgid("automatic reply"),
    "bounce": msgid("could not be delivered"),
    "bulk": msgid("bulk mail"),
    "truncated": msgid("not whole"),
    "ambiguous": msgid("can be read in two ways"),
    "oversized": msgid("very large"),
    "from_junk": msgid("from the junk folder"),
    "encrypted": msgid("encrypted"),
}
SOURCE_STATES = {
    "ok": msgid("works"),
    "catching_up": msgid("is catching up"),
    "needs_reauth": msgid("needs a new sign-in"),
    "throttled": msgid("is slowed down by the provider"),
    "unreachable": msgid("cannot be reached"),
    "misconfigured": msgid("is configured wrongly"),
    "paused": msgid("is paused"),
}
STATUSES = {
    "to_review": msgid("To review"),
    "postponed": msgid("Postponed"),
    "reviewed": msgid("Reviewed ones"),
}
UNITS = (msgid("B"), msgid("kB"), msgid("MB"), msgid("GB"))
FILTERS = {
    "type": msgid("Type"),
    "direction": msgid("Direction"),
    "status": msgid("Status"),
    "responsible": msgid("Responsible"),
    "author": msgid("Author"),
    "contact": msgid("Contact"),
    "partner": msgid("Partner"),
    "chain": msgid("Chain"),
    "subject": msgid("Subject"),
    "department": msgid("Department"),
    "source": msgid("Source"),
    "since": msgid("From day"),
    "until": msgid("Before day"),
    "q": msgid("Search"),
    "importance": msgid("Importance"),
    "call_result": msgid("Result of the call"),
    "tag": msgid("Tag"),
    "has": msgid("With files"),
    "unmatched": msgid("Contact not found"),
    "ambiguous": msgid("Several contacts possible"),
    "number": msgid("Number"),
    "external_ref": msgid("Reference"),
    "order": msgid("Order"),
}
VALUES: Mapping[str, Mapping[str, str]] = {
    "type": KINDS,
    "direction": DIRECTIONS,
    "status": STATUSES,
    "importance": IMPORTANCES,
    "call_result": RESULTS,
    "order": {"newest": msgid("newest first"), "oldest": msgid("oldest first")},
}


def title_of(kind: str, direction: str | None, result: object = None) -> str:
    """What an interaction is, in two words."""
    if kind == "phone_call" and direction == "incoming" and result in ("missed", "busy"):
        return MISSED
    return TITLES.get((kind, direction or ""), KINDS.get(kind, kind))
