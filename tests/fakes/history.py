"""Years of history in a second: every table that grows, filled by the database itself, so that plans can be looked at.

Sizes follow each other as they do in life: two participants and one body for an interaction, four interactions for a
chain, hardly any work left to do. Row `n` of a table belongs to row `n` of the others.
"""

import asyncpg

INTERACTIONS = 20_000

# Ids are readable: the table's digit, then the number. `at(n)` is one minute after `at(n - 1)`.
_FUNCTIONS = """
CREATE FUNCTION pg_temp.id(t integer, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT (lpad(t::text, 8, '0') || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.at(n bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    AS $$ SELECT timestamptz '2026-01-01 00:00Z' + n * interval '1 minute' $$;
CREATE FUNCTION pg_temp.ref(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT substr(sha256(n::text::bytea), 1, 16) $$;
"""

_TABLES = """
INSERT INTO department (id, name) VALUES (pg_temp.id(9, 1), 'Sales');
INSERT INTO contact (id, kind, name, name_key, comment, responsible_id)
    SELECT pg_temp.id(1, n), (ARRAY['partner', 'contact_person', 'individual'])[1 + n % 3], 'Name ' || n, 'name ' || n, repeat('word ', 100),
           CASE WHEN n > 50 THEN pg_temp.id(1, n % 50 + 1) END
    FROM generate_series(1, $N/2) n;
UPDATE contact SET kind = 'user' WHERE id <= pg_temp.id(1, 50);
INSERT INTO login (user_id, email) SELECT pg_temp.id(1, n), 'user' || n || '@example.org' FROM generate_series(1, 50) n;
INSERT INTO session (token_hash, user_id, expires_at)
    SELECT pg_temp.ref(n), pg_temp.id(1, n % 50 + 1), now() + n * interval '1 minute' FROM generate_series(1, $N/10) n;
INSERT INTO extension (id, source, extension, user_id)
    SELECT pg_temp.id(8, n), 'main', n::text, pg_temp.id(1, n) FROM generate_series(1, 50) n;
INSERT INTO address (id, kind, value, contact_id)
    SELECT pg_temp.id(2, n), CASE WHEN n % 2 = 0 THEN 'email' ELSE 'phone' END, 'address' || n,
           CASE WHEN n <= $N/4 THEN pg_temp.id(1, n) END
    FROM generate_series(1, $N/2) n;
INSERT INTO address_owner (address_id, contact_id, raw)
    SELECT pg_temp.id(2, n), pg_temp.id(1, n), 'address' || n FROM generate_series(1, $N/4) n;
INSERT INTO employment (person_id, partner_id)
    SELECT pg_temp.id(1, n + 1), pg_temp.id(1, n) FROM generate_series(51, $N/4 - 1) n;
INSERT INTO remembered_match (id, address_id) SELECT pg_temp.id(7, n), pg_temp.id(2, n) FROM generate_series(1, $N/4) n;
INSERT INTO subject (id, kind, title, external_ref)
    SELECT pg_temp.id(3, n), 'deal', 'Deal ' || n, 'deal ' || n FROM generate_series(1, $N/2) n;
INSERT INTO subject_participant (subject_id, n, role)
    SELECT pg_temp.id(3, n), 1, 'to' FROM generate_series(1, $N/10) n;
INSERT INTO chain (id, root_id, first_at, last_at, size, subject_id)
    SELECT pg_temp.id(4, n), pg_temp.id(5, 4 * n), pg_temp.at(4 * n), pg_temp.at(4 * n + 3), 4,
           CASE WHEN n BETWEEN 1 AND $N/10 THEN pg_temp.id(3, n) END
    FROM generate_series(0, $N/4) n;
INSERT INTO chain_subject (chain_id, subject_id) SELECT pg_temp.id(4, n), pg_temp.id(3, n) FROM generate_series(1, $N/10) n;
INSERT INTO interaction (id, kind, direction, occurred_at, chain_id, topic, responsible_id, source, external_ref, reviewed)
    SELECT pg_temp.id(5, n), (ARRAY['email', 'email', 'phone_call', 'sms'])[1 + n % 4], 'incoming', pg_temp.at(n),
           pg_temp.id(4, n / 4), 'Topic ' || n, pg_temp.id(1, n % 50 + 1), 'sales', 'ref ' || n, n % 100 <> 0
    FROM generate_series(1, $N) n;
INSERT INTO participant (interaction_id, n, role, address_id, contact_id, partner_id)
    SELECT pg_temp.id(5, n), k, CASE k WHEN 0 THEN 'from' ELSE 'to' END, pg_temp.id(2, 1 + (n * (1 + k * 7)) % ($N/2)),
           CASE WHEN k = 1 AND n % 10 = 0 THEN pg_temp.id(1, 1 + n % ($N/4)) END,
           CASE WHEN k = 0 AND n % 5 = 0 THEN pg_temp.id(1, 1 + n % ($N/4)) END
    FROM generate_series(1, $N) n, generate_series(0, 1) k;
INSERT INTO body (interaction_id, body_text, raw_sha256)
    SELECT pg_temp.id(5, n), repeat('text ', 40), sha256(n::text::bytea) FROM generate_series(1, $N) n;
INSERT INTO attachment (interaction_id, n, name, content_type, size)
    SELECT pg_temp.id(5, n), 1, 'file.pdf', 'application/pdf', 1000 FROM generate_series(1, $N/4) n;
INSERT INTO search_index (interaction_id, document)
    SELECT pg_temp.id(5, n), (SELECT array_to_tsvector(array_agg(DISTINCT 'filling' || (n * 31 + k * k * 17) % 3000))
               FROM generate_series(1, 25) k) || array_to_tsvector(ARRAY['word', 'word' || n, 'tel' || n])
    FROM generate_series(1, $N) n;
INSERT INTO search_queue (interaction_id) SELECT pg_temp.id(5, n) FROM generate_series(1, 50) n;
INSERT INTO blob (sha256, size, store, pack, start)
    SELECT sha256(n::text::bytea), 1000, 'pack', 'p', n * 1000 FROM generate_series(1, $N) n;
INSERT INTO message_ref (ref, interaction_id)
    SELECT pg_temp.ref(n), CASE WHEN n % 3 > 0 THEN pg_temp.id(5, n % $N + 1) END FROM generate_series(1, $N * 3/2) n;
INSERT INTO message_awaited (ref, subject_key, interaction_id)
    SELECT pg_temp.ref(3 * n), '\\x00', pg_temp.id(5, 3 * n) FROM generate_series(1, $N/4) n;
INSERT INTO mail_thread (interaction_id, occurred_at, subject_key, ref, parents, replies_to, shared, tokens, prefix, marks,
        sender, others, outside, firms, guess_key, guess_days, may_guess)
    SELECT pg_temp.id(5, n), pg_temp.at(n), '\\x00', pg_temp.ref(n), '', 0, '', '', '', 'a', substr(pg_temp.ref(n % ($N/20)), 1, 8),
           ARRAY[substr(pg_temp.ref(n % 100), 1, 8)], '', '', substr(pg_temp.ref(n / 4), 1, 8), 45, n % 4 > 0
    FROM generate_series(1, $N) n;
INSERT INTO chain_apart (one, other)
    SELECT pg_temp.id(4, n), pg_temp.id(4, n + 1) FROM generate_series(1, $N/10) n;
INSERT INTO origin (space, key, interaction_id)
    SELECT 'mail', sha256(n::text::bytea), pg_temp.id(5, n) FROM generate_series(1, $N) n;
INSERT INTO call_event (source, call_key, dedup_key, received_at, event)
    SELECT 'main', (n / 3)::text, n::text, pg_temp.at(n), '{}' FROM generate_series(1, $N) n;
INSERT INTO invite (key, mail_id, n, sent_at, sender, is_proved, said)
    SELECT sha256((n / 3)::text::bytea), pg_temp.id(5, n), 0, pg_temp.at(n), 'x', true, '{}' FROM generate_series(1, $N) n;
INSERT INTO sms_status (source, sms_key, dedup_key, received_at, status)
    SELECT 'main', (n / 3)::text, n::text, pg_temp.at(n), 'sent' FROM generate_series(1, $N/2) n;
INSERT INTO source (name, kind, type) SELECT 'source ' || n, 'mailbox', 'imap' FROM generate_series(1, 10) n;
INSERT INTO checkpoint (source_id, key, state)
    SELECT 1 + n % 10, 'folder ' || n, '{}' FROM generate_series(1, $N/10) n;
INSERT INTO quarantine (id, source, kind, reason, resolved_at)
    SELECT pg_temp.id(6, n), 'source 1', 'mail', 'x', CASE WHEN n > 20 THEN now() END FROM generate_series(1, $N/10) n;
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id)
    SELECT 1 + n % 10, 'INBOX', 1, n, pg_temp.id(5, n) FROM generate_series(1, $N) n;
INSERT INTO inbound (source, dedup_key, received_at, method, rest, query, headers, body, remote, state)
    SELECT 'main', n::text, pg_temp.at(n), 'POST', '', '', '{}', '', '', CASE WHEN n > $N - 20 THEN 'todo' ELSE 'done' END
    FROM generate_series(1, $N) n;
INSERT INTO outbox (id, interaction_id, source, payload, state)
    SELECT gen_random_uuid(), pg_temp.id(5, n), 'sales', '{}', 'sent' FROM generate_series(1, $N/10) n;
INSERT INTO feed (seq, type, ref)
    SELECT CASE WHEN n <= $N - 20 THEN n END, 'interaction.created', pg_temp.id(5, n) FROM generate_series(1, $N) n;
INSERT INTO idempotency (owner, key, request_hash, status, response)
    SELECT 'token', n::text, '', 201, '{}' FROM generate_series(1, $N/4) n;
INSERT INTO audit (actor, act, ref) SELECT 'anna', 'read', pg_temp.id(5, n) FROM generate_series(1, $N) n;
"""


async def fill(dsn: str, interactions: int = INTERACTIONS) -> None:
    """Fills a migrated, empty database."""
    db = await asyncpg.connect(dsn)
    try:
        await db.execute(_FUNCTIONS)
        await db.execute(_TABLES.replace("$N", str(interactions)))
        await db.execute("VACUUM ANALYZE")  # empties the waiting list of the search index too
    finally:
        await db.close()
