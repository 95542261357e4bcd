"""The demonstration: a small IMAP server, sample mail, calls and SMS. Only `ringmail demo` uses it."""
