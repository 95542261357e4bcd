"""Telephony: calls and SMS, one file a provider, each a Receiver that verifies and reads what the provider posts."""
