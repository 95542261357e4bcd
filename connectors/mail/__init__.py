"""Mail: IMAP in, SMTP out (RFC 9051, RFC 5321). Read `source`, then `sync`, `session`, `protocol`."""
