"""The options that can be switched off at run time, as lists and routes ask for them."""

from config.settings import Features
from interactions.records import Kind


def shown_kinds(features: Features) -> list[Kind]:
    """The types that are not switched off, the frequent ones first."""
    order = (Kind.EMAIL, Kind.PHONE_CALL, Kind.SMS, Kind.MEETING, Kind.PLANNED)
    return [one for one in order if (features.mail_client if one is Kind.EMAIL else features.other_interactions)]
